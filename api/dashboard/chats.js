// The chats, newest first, kept up to date by the stream: which are known, which are wanted, and in what order.

import { Unreachable, get } from "./calls.js";

const PAGE = 100;
export const MOST = 500; // that the API gives at once
const PAUSE = 5000; // ms after which a list that failed is asked for again

export const keyOf = (chat) => `${chat.session_id}\n${chat.address}`;

export class Chats {
	list = [];
	cursor = null; // where the list goes on; null: it does not
	loading = false;
	error = null;
	fuzzy = false; // whether they have similar names, because none has the words
	filter = {};
	#known = new Map();
	#round = 0;

	constructor(onChange) {
		this.onChange = onChange;
	}

	find(session, address) {
		return this.#known.get(`${session}\n${address}`);
	}

	// From the top, with a filter: {unread, waiting, kind, session_id, label, q, since, until, direction, answered}.
	load(filter = this.filter, wanted = PAGE) {
		this.filter = filter;
		this.error = null;
		return this.#ask({ limit: Math.min(Math.max(wanted, PAGE), MOST) }, ++this.#round);
	}

	more() {
		if (!this.loading && this.cursor !== null && !this.error) this.#ask({ limit: this.list.length < MOST ? PAGE : MOST, cursor: this.cursor }, this.#round);
	}

	async #ask(place, round) {
		this.loading = true;
		const page = await get("/api/chats", { ...this.filter, ...place }).catch((error) => ({ error }));
		if (round !== this.#round) return;
		this.loading = false;
		if (!place.cursor && !page.error) this.list = [];
		if (page.error) {
			this.error = page.error;
			if (page.error instanceof Unreachable) setTimeout(() => round === this.#round && this.load(this.filter, this.list.length), PAUSE);
		} else this.#take(page);
		this.onChange();
	}

	// A chat from the stream. The open one stays in a filtered list, although it has just been read.
	update(chat, isOpen) {
		if (this.find(chat.session_id, chat.address)?.rev > chat.rev) return;
		this.#known.set(keyOf(chat), chat);
		const rest = this.list.filter((one) => one.address !== chat.address || one.session_id !== chat.session_id);
		const shown = rest.length < this.list.length;
		if (this.#wants(chat) || (shown && isOpen)) {
			const isLongest = this.filter.sort === "waiting_since" && chat.waiting_since;
			const below = rest.findIndex((one) => (isLongest ? !one.waiting_since || one.waiting_since > chat.waiting_since : one.last_message_at <= chat.last_message_at));
			const at = below < 0 ? rest.length : below;
			// Below what is loaded it will come with its page.
			if (at < rest.length || this.cursor === null || shown) rest.splice(at, 0, chat);
		}
		this.list = rest;
		this.onChange();
	}

	#take(page) {
		const here = new Set(this.list.map(keyOf));
		for (const fresh of page.contacts) {
			const key = keyOf(fresh);
			const known = this.#known.get(key);
			const chat = known?.rev > fresh.rev ? known : fresh;
			this.#known.set(key, chat);
			if (!here.has(key)) this.list.push(chat);
		}
		this.cursor = page.cursor;
		this.fuzzy = page.fuzzy;
	}

	#wants(chat) {
		const { unread, waiting, kind, session_id: session, label, q, since, direction, answered } = this.filter;
		if (q || since || direction || answered) return false;
		return (!unread || chat.unread_count > 0 || chat.marked_unread) && (!waiting || chat.waiting_since) && (!kind || chat.kind === kind) && (!session || chat.session_id === session) && (!label || chat.labels.includes(label));
	}
}
