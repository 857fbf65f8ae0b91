// Holds the chats, newest first, and follows the stream: the known chats, the requested ones, and their order.

import { Unreachable, get } from "../server/calls.js";

const PAGE = 100;
export const MAX_PAGE = 500; // chats that the API returns at once
const PAUSE = 5000; // ms after which a failed list is requested again

export const keyOf = (chat) => `${chat.session_id}\n${chat.address}`;

export class Chats {
	list = [];
	cursor = null; // the cursor of the next page, null if there is none
	loading = false;
	error = null;
	fuzzy = false; // true if these are chats with similar names, because no name contains the words
	filter = {};
	#known = new Map();
	#round = 0;
	#meanwhile = []; // what the stream reported since the list was requested

	constructor(onChange) {
		this.onChange = onChange;
	}

	find(session, address) {
		return this.#known.get(`${session}\n${address}`);
	}

	// Reloads from the top, with a filter: {unread, waiting, kind, session_id, label, q, since, until, direction, answered}.
	load(filter = this.filter, wanted = PAGE) {
		this.filter = filter;
		this.error = null;
		return this.#ask({ limit: Math.min(Math.max(wanted, PAGE), MAX_PAGE) }, ++this.#round);
	}

	more() {
		if (!this.loading && this.cursor !== null && !this.error) this.#ask({ limit: this.list.length < MAX_PAGE ? PAGE : MAX_PAGE, cursor: this.cursor }, this.#round);
	}

	async #ask(place, round) {
		this.loading = true;
		this.#meanwhile = [];
		const page = await get("/api/chats", { ...this.filter, ...place }).catch((error) => ({ error }));
		if (round !== this.#round) return;
		this.loading = false;
		if (!place.cursor && !page.error) this.list = [];
		if (page.error) {
			this.error = page.error;
			if (page.error instanceof Unreachable) setTimeout(() => round === this.#round && this.load(this.filter, this.list.length), PAUSE);
		} else this.#take(page);
		for (const [chat, isOpen] of this.#meanwhile) this.#place(chat, isOpen);
		this.onChange();
	}

	// Applies a chat from the stream. The open chat stays in a filtered list, even if it was just read.
	update(chat, isOpen) {
		if (this.find(chat.session_id, chat.address)?.rev > chat.rev) return;
		this.#known.set(keyOf(chat), chat);
		this.#place(chat, isOpen);
		if (this.loading) this.#meanwhile.push([chat, isOpen]);
		this.onChange();
	}

	#place(chat, isOpen) {
		const rest = this.list.filter((one) => one.address !== chat.address || one.session_id !== chat.session_id);
		const shown = rest.length < this.list.length;
		if (this.#wants(chat) || (shown && isOpen)) {
			const isLongest = this.filter.sort === "waiting_since" && chat.waiting_since;
			const below = rest.findIndex((one) => (isLongest ? !one.waiting_since || one.waiting_since > chat.waiting_since : one.last_message_at <= chat.last_message_at));
			const at = below < 0 ? rest.length : below;
			// A chat below the loaded ones will be loaded with its page.
			if (at < rest.length || this.cursor === null || shown) rest.splice(at, 0, chat);
		}
		this.list = rest;
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
