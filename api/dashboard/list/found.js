// Loads the messages that a search found, or the starred ones, in pages.

import { get } from "../server/calls.js";
import { unmarked } from "./chatrow.js";
import { MAX_PAGE } from "./chats.js";

const PAGE = 30;

export class Found {
	list = [];
	cursor = null; // the cursor of the next page, null if there is none
	loading = false;
	error = null;
	#isStale = false;
	#ended = new AbortController();

	// q: the search words, "" for all starred messages. words: {type, since, until}. filter: the filter of the chats.
	constructor({ q, isStarred, words, filter: { sort, answered, ...filter }, onChange }) {
		Object.assign(this, { q, isStarred, onChange, limits: { ...filter, ...(q ? { ...words, q, starred: isStarred } : {}) } });
		this.#ask();
	}

	close() {
		this.#ended.abort();
	}

	more() {
		if (!this.loading && this.cursor) this.#ask();
	}

	// Handles that a starred message changed, or that a star was added or removed.
	restar() {
		if (!this.isStarred) return;
		this.#isStale = true;
		if (!this.loading) this.#ask();
	}

	// Loads the next page, or reloads all pages if they are stale.
	async #ask() {
		const known = this.#isStale ? [] : this.list;
		const cursor = this.#isStale ? null : this.cursor;
		const limit = Math.min(Math.max(PAGE, this.list.length - known.length), MAX_PAGE);
		this.#isStale = false;
		this.loading = true;
		try {
			const place = { ...this.limits, cursor, limit, count: this.q && !cursor };
			const { messages, results = messages.map(unmarked), count = null, ...rest } = await get(this.q ? "/api/search" : "/api/starred", place, this.#ended.signal);
			Object.assign(this, rest, { error: null, list: [...known, ...results], count: cursor ? this.count : count });
		} catch (error) {
			if (this.#ended.signal.aborted) return;
			Object.assign(this, { error, cursor: null });
		}
		this.loading = false;
		if (this.#isStale) this.#ask();
		this.onChange();
	}
}
