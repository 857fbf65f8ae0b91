// Reads the stream of changes: one connection for the page, resumed without a gap after each interruption.

import { get } from "./calls.js";

const PATIENCE = 1500; // ms before an interruption is reported, longer than a restart of the server
const SILENCE = 25_000; // ms without data or heartbeat after which the connection counts as dead
const HIDDEN = 60_000; // ms after which a hidden page closes its connection, because a browser has six for all tabs together

export class Stream {
	#source = null;
	#last = null;
	#timer = null;
	#watch = null;
	#worry = null;
	#heard = Date.now();
	#pause = 500;
	#seen = () => {};
	#ended = new AbortController();

	// change: called with each change. state: called with true when live, or with false and the time since when it is not. begin: called if the
	// changes begin now, so that what was loaded before may lack some. listens: true if one page must keep listening while all pages are hidden.
	constructor({ change, state, begin, listens }) {
		Object.assign(this, { change, state, begin, listens });
		const { signal } = this.#ended;
		document.addEventListener("visibilitychange", () => this.#look(), { signal });
		addEventListener("online", () => this.#restart(), { signal });
		addEventListener("offline", () => this.#lost(), { signal });
		// A computer that was asleep has not received anything either.
		this.#watch = setInterval(() => this.#source && Date.now() - this.#heard > SILENCE && (this.#lost(), this.#restart()), 5000);
		this.#open();
	}

	close() {
		this.#ended.abort();
		this.#seen();
		this.#source?.close();
		for (const timer of [this.#timer, this.#watch, this.#worry]) clearTimeout(timer);
	}

	#lost() {
		this.state(false, this.#heard);
	}

	#hear() {
		this.#heard = Date.now();
		clearTimeout(this.#worry);
		this.#worry = null;
	}

	#restart() {
		this.#source?.close();
		this.#source = null;
		this.#open();
	}

	#open() {
		if (this.#ended.signal.aborted || this.#source) return;
		clearTimeout(this.#timer);
		const source = new EventSource(this.#last ? `/api/stream?since=${encodeURIComponent(this.#last)}` : "/api/stream");
		this.#source = source;
		this.#worry ??= setTimeout(() => this.#lost(), PATIENCE * 2);
		let begins = !this.#last;
		source.onopen = () => {
			this.#hear();
			this.#pause = 500;
			this.state(true);
			if (begins) this.begin();
			begins = false;
		};
		source.addEventListener("heartbeat", () => this.#hear());
		source.onmessage = (event) => {
			this.#hear();
			this.#last = event.lastEventId;
			if (event.data) this.change(JSON.parse(event.data));
		};
		source.onerror = () => {
			if (source !== this.#source) return;
			this.#worry ??= setTimeout(() => this.#lost(), PATIENCE);
			if (source.readyState !== EventSource.CLOSED) return; // EventSource reconnects by itself.
			this.#source = null;
			this.#retry();
		};
	}

	// Asks why the stream was refused, because an EventSource does not report the reason.
	async #retry() {
		this.#lost();
		try {
			await get("/api/changes", { since: this.#last, limit: 1 });
		} catch ({ status }) {
			if (status === 401) return this.close();
			if (status === 410 || status === 400) this.#last = null;
		}
		clearTimeout(this.#timer);
		this.#timer = setTimeout(() => this.#open(), this.#pause);
		this.#pause = Math.min(this.#pause * 2, 10_000);
	}

	#look() {
		clearTimeout(this.#timer);
		this.#seen();
		if (!document.hidden) return this.#open();
		this.#timer = setTimeout(() => {
			// Without a position to resume from, changes in the meantime would be missed.
			if (!this.#last) return;
			this.#source?.close();
			this.#source = null;
			if (this.listens()) navigator.locks.request("listens", () => this.#listen());
		}, HIDDEN);
	}

	// A browser has six connections for all pages. One of the hidden pages keeps its connection until it is visible again.
	#listen() {
		if (!document.hidden || this.#ended.signal.aborted) return null;
		this.#open();
		return new Promise((resolve) => (this.#seen = resolve));
	}
}
