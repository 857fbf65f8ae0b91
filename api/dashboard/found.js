// The messages that a search found, or those with a star, in pages.

import { get } from "./calls.js";
import { unmarked } from "./chatrow.js";
import { MOST } from "./chats.js";

const PAGE = 30;

export class Found {
	list = [];
	cursor = null; // where the list goes on; null: it does not
	loading = false;
	error = null;
	#isStale = false;
	#ended = new AbortController();

	// q: the words, "" for all with a star. words: {type, since, until}. filter: that of the chats.
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

	// A message with a star has changed, or one has got or lost it.
	restar() {
		if (!this.isStarred) return;
		this.#isStale = true;
		if (!this.loading) this.#ask();
	}

	// The next page, or where the pages so far are stale, all of them.
	async #ask() {
		const known = this.#isStale ? [] : this.list;
		const cursor = this.#isStale ? null : this.cursor;
		const limit = Math.min(Math.max(PAGE, this.list.length - known.length), MOST);
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
