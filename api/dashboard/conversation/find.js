// Searches within a conversation: marks the words, and steps through the matches.

import { upTo } from "../list/filters.js";
import { SearchFilters, searchField } from "../list/searchfilters.js";
import { h } from "../page/element.js";
import { icon, tool } from "../page/icons.js";
import { number, t } from "../page/language.js";
import { get } from "../server/calls.js";
import { pattern, show } from "./marks.js";

const TYPING = 250; // ms without typing before a search begins
const PAGE = 100;
const PAGES = 10; // pages to load in order to find the match from which the reader comes

export class Find {
	#q = "";
	#hits = [];
	#index = -1;
	#answer = { cursor: null, count: null };
	#pattern = null;
	#round = 0;
	#timer = null;
	#due = 0;

	constructor(conversation) {
		this.conversation = conversation;
		this.input = searchField("search_in_chat", () => this.#typed(), (event) => this.#key(event));
		this.status = h("span.small", { role: "status" });
		this.older = tool("up", t("older_match"), { click: () => this.#step(1) });
		this.newer = tool("down", t("newer_match"), { click: () => this.#step(-1) });
		this.filters = new SearchFilters(() => this.start(this.input.value));
		this.element = h("search.bar.finding", { "aria-label": t("search_in_chat") }, h("div.find", icon("search"), this.input), this.status, this.older, this.newer, tool("close", t("close"), { click: () => this.close() }), this.filters.element);
		this.drawn = new MutationObserver(() => this.#markLater());
	}

	get isOpen() {
		return this.element.isConnected;
	}

	// Shown below the head, with the words of the search from which the reader comes.
	open(q = "", at = null) {
		if (!this.isOpen) {
			this.conversation.head.element.after(this.element);
			this.drawn.observe(this.conversation.scroll, { childList: true, subtree: true, characterData: true });
		}
		if (q) this.input.value = q;
		else this.input.focus();
		if (q) this.start(q, at);
	}

	close() {
		this.drawn.disconnect();
		clearTimeout(this.#timer);
		this.#round++;
		this.element.remove();
		this.input.value = this.#q = "";
		this.filters.clear();
		show(this.conversation.scroll, null);
		this.conversation.focus();
	}

	// at: the message from which the reader comes, which is already on the page
	async start(q, at = null) {
		clearTimeout(this.#timer);
		this.#q = q.trim();
		const round = ++this.#round;
		this.#hits = [];
		this.#index = -1;
		this.#answer = { cursor: null, count: null };
		this.#pattern = pattern(this.#q.split(/\s+/));
		this.#mark();
		this.#say("");
		if (!this.#q) return;
		await this.#more(round);
		for (let page = 1; at && page < PAGES && this.#found(at) < 0 && this.#answer.cursor; page++) await this.#more(round);
		if (round !== this.#round || !this.#hits.length) return;
		this.#go(at ? Math.max(0, this.#found(at)) : 0, Boolean(at));
	}

	#found(at) {
		return this.#hits.findIndex((hit) => hit.message_id === at);
	}

	async #more(round) {
		const { address, session } = this.conversation;
		const { cursor } = this.#answer;
		const answer = await get("/api/search", { q: this.#q, address, session_id: session, ...this.filters.value, cursor, limit: PAGE, count: !cursor }).catch((error) => ({ error }));
		if (round !== this.#round) return;
		if (answer.error) {
			this.#answer.cursor = null;
			this.#say(answer.error.message);
			return;
		}
		this.#answer = { cursor: answer.cursor, count: cursor ? this.#answer.count : answer.count };
		this.#hits.push(...answer.results);
		// Marks the words as they are written in the messages, which differ from the query if it contains an error.
		const written = answer.results.flatMap(({ snippet, ranges }) => ranges.map(([from, to]) => [...snippet].slice(from, to).join("")));
		this.#pattern = pattern([...this.#q.split(/\s+/), ...written]);
		this.#mark();
		if (!this.#hits.length) this.#say(t("nothing_found"));
	}

	async #step(by) {
		const to = this.#index + by;
		const round = this.#round;
		if (to >= this.#hits.length && this.#answer.cursor) await this.#more(round);
		if (round === this.#round && this.#hits[to]) this.#go(to);
	}

	#go(index, isThere = false) {
		this.#index = index;
		const { count, cursor } = this.#answer;
		const all = count === null ? null : upTo(count);
		this.#say(all ? t("match_of", { n: index + 1, all }) : number(index + 1));
		this.older.disabled = index + 1 >= this.#hits.length && !cursor;
		this.newer.disabled = index === 0;
		if (!isThere) this.conversation.jump(this.#hits[index].message_id);
	}

	#say(text) {
		this.status.textContent = text;
		this.older.disabled = this.newer.disabled = true;
	}

	#typed() {
		clearTimeout(this.#timer);
		this.#timer = setTimeout(() => this.start(this.input.value), TYPING);
	}

	#key(event) {
		if (event.key === "Enter") {
			event.preventDefault();
			if (this.input.value.trim() !== this.#q) this.start(this.input.value);
			else this.#step(event.shiftKey ? -1 : 1);
		} else if (event.key === "Escape") {
			event.stopPropagation();
			this.close();
		}
	}

	// Folded texts with a match unfold. The match to which the reader was led stays in place.
	#mark() {
		const { scroll } = this.conversation;
		const found = scroll.querySelector(".found");
		const before = found?.getBoundingClientRect().top;
		show(scroll, this.#pattern);
		if (found) scroll.scrollTop += found.getBoundingClientRect().top - before;
	}

	#markLater() {
		this.#due ||= requestAnimationFrame(() => {
			this.#due = 0;
			if (this.isOpen) this.#mark();
		});
	}
}
