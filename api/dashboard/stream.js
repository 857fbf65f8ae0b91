// The stream of changes: one for the page, resumed without a gap wherever it broke.

import { get } from "./calls.js";

const PATIENCE = 1500; // ms before a break is worth a word: a restart of the server is shorter
const HIDDEN = 60_000; // ms after which a hidden page lets its connection go: a browser has six for all tabs together

export class Stream {
	#source = null;
	#last = null;
	#timer = null;
	#pause = 500;
	#ended = false;

	// change: told of each. state: told true when live, false when not. gap: what was missed cannot be told any more.
	constructor({ change, state, gap }) {
		Object.assign(this, { change, state, gap });
		document.addEventListener("visibilitychange", () => this.#look());
		addEventListener("online", () => this.#open());
		this.#open();
	}

	close() {
		this.#ended = true;
		this.#source?.close();
		clearTimeout(this.#timer);
	}

	#open() {
		if (this.#ended || this.#source) return;
		clearTimeout(this.#timer);
		const source = new EventSource(this.#last ? `/api/stream?since=${encodeURIComponent(this.#last)}` : "/api/stream");
		this.#source = source;
		let worry = setTimeout(() => this.state(false), PATIENCE * 2);
		source.onopen = () => {
			clearTimeout(worry);
			worry = null;
			this.#pause = 500;
			this.state(true);
		};
		source.onmessage = (event) => {
			this.#last = event.lastEventId;
			if (event.data) this.change(JSON.parse(event.data));
		};
		source.onerror = () => {
			worry ??= setTimeout(() => this.state(false), PATIENCE);
			if (source.readyState !== EventSource.CLOSED) return; // it comes back by itself
			clearTimeout(worry);
			this.#source = null;
			this.#retry();
		};
	}

	// The stream was refused, and an EventSource does not tell why.
	async #retry() {
		this.state(false);
		try {
			await get("/api/changes", { since: this.#last, limit: 1 });
		} catch ({ status }) {
			if (status === 401) return this.close();
			if (status === 410 || status === 400) {
				this.#last = null;
				this.gap();
			}
		}
		clearTimeout(this.#timer);
		this.#timer = setTimeout(() => this.#open(), this.#pause);
		this.#pause = Math.min(this.#pause * 2, 10_000);
	}

	#look() {
		clearTimeout(this.#timer);
		if (!document.hidden) return this.#open();
		this.#timer = setTimeout(() => {
			// Without a place to resume from, what happens meanwhile would be missed.
			if (!this.#last) return;
			this.#source?.close();
			this.#source = null;
		}, HIDDEN);
	}
}
