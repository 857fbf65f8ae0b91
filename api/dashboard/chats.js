// The chats, newest first, kept up to date by the stream: which are known, which are wanted, and in what order.

import { get } from "./calls.js";

const PAGE = 100;
const MOST = 500; // that the API gives at once

export const keyOf = (chat) => `${chat.session_id}\n${chat.address}`;

function compare(a, b) {
	return a.last_message_at < b.last_message_at ? 1 : a.last_message_at > b.last_message_at ? -1 : 0;
}

export class Chats {
	list = [];
	cursor = null; // where the list goes on; null: it does not
	loading = false;
	failed = null;
	filter = {};
	#known = new Map();
	#round = 0;

	constructor(onChange) {
		this.onChange = onChange;
	}

	find(session, address) {
		return this.#known.get(`${session}\n${address}`);
	}

	// From the top, with a filter: {unread, waiting, kind, session_id, q}.
	load(filter = this.filter, wanted = PAGE) {
		this.filter = filter;
		this.failed = null;
		return this.#ask({ limit: Math.min(Math.max(wanted, PAGE), MOST) }, ++this.#round);
	}

	more() {
		if (!this.loading && this.cursor !== null && !this.failed) this.#ask({ limit: this.list.length < MOST ? PAGE : MOST, cursor: this.cursor }, this.#round);
	}

	async #ask(place, round) {
		this.loading = true;
		const told = await get("/api/chats", { ...this.filter, ...place }).catch((error) => ({ error }));
		if (round !== this.#round) return;
		this.loading = false;
		if (!place.cursor && !told.error) this.list = [];
		if (told.error) this.failed = told.error;
		else this.#take(told);
		this.onChange();
	}

	// A chat as the stream tells it. The open one stays in a filtered list, although it has just been read.
	tell(chat, isOpen) {
		const key = keyOf(chat);
		const known = this.#known.get(key);
		if (known && known.rev > chat.rev) return;
		this.#known.set(key, chat);
		const index = this.list.findIndex((one) => keyOf(one) === key);
		const shown = index >= 0;
		if (shown) this.list.splice(index, 1);
		if (this.#wants(chat) || (shown && isOpen)) {
			let at = 0;
			if (this.list.length && compare(chat, this.list[0]) > 0) {
				let high = this.list.length;
				while (at < high) {
					const middle = (at + high) >> 1;
					if (compare(chat, this.list[middle]) > 0) at = middle + 1;
					else high = middle;
				}
			}
			// Below what is loaded it will come with its page.
			if (at < this.list.length || this.cursor === null || shown) this.list.splice(at, 0, chat);
		}
		this.onChange();
	}

	#take(page) {
		const here = new Set(this.list.map(keyOf));
		for (const told of page.contacts) {
			const key = keyOf(told);
			const known = this.#known.get(key);
			const chat = known && known.rev > told.rev ? known : told;
			this.#known.set(key, chat);
			if (!here.has(key)) this.list.push(chat);
		}
		this.cursor = page.cursor;
	}

	#wants(chat) {
		const { unread, waiting, kind, session_id: session, q } = this.filter;
		if (q) return false;
		return (!unread || chat.unread_count > 0 || chat.marked_unread) && (!waiting || chat.waiting_since) && (!kind || chat.kind === kind) && (!session || chat.session_id === session);
	}
}
