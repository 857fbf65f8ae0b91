// The left side: search, filters, and the list of chats or of what was found.

import { Refused, get } from "./calls.js";
import { chatRow, hitRow } from "./chatrow.js";
import { Chats, keyOf } from "./chats.js";
import { h } from "./element.js";
import { icon } from "./icons.js";
import { t } from "./language.js";
import { sessionName } from "./people.js";
import { Rows } from "./rows.js";

const TYPING = 200; // ms of rest before a search begins
const HITS = 30;

export class Side {
	#chosen = null;
	#hits = null; // {q, list, cursor, fuzzy, complete, error, loading}
	#search = null;
	#abort = null;
	#chips = new Map();
	#due = 0;

	constructor({ sessions, menu }) {
		this.sessions = sessions;
		this.chats = new Chats(() => this.#show());
		this.found = new Chats(() => this.#show());
		this.input = h("input.field", { type: "search", placeholder: t("search"), "aria-label": t("search"), autocomplete: "off", spellcheck: "false", maxlength: 200, input: () => this.#typed(), keydown: (event) => this.#key(event) });
		this.chips = h("div.chips", { role: "group", "aria-label": t("filters") });
		this.rows = new Rows({
			label: t("chats"),
			draw: (item) => this.#draw(item),
			key: (item) => item.key,
			height: (item) => (item.heading ? 40 : item.foot ? 96 : 72),
			onNearEnd: () => this.#more(),
		});
		this.empty = h("div.blank", { hidden: true });
		this.element = h("aside.side", { "aria-label": t("chats") }, menu, h("div.find", { role: "search" }, icon("search"), this.input), this.chips, this.empty, this.rows.element);
		this.#drawChips();
		setInterval(() => !document.hidden && this.rows.redraw(), 60_000);
	}

	load() {
		return this.chats.load();
	}

	// Everything anew, where it stands.
	reload() {
		return this.chats.load(this.chats.filter, this.chats.list.length);
	}

	choose(session, address) {
		const key = session ? `${session}\n${address}` : null;
		if (key === this.#chosen) return;
		this.#chosen = key;
		this.rows.redraw();
	}

	tell(chat) {
		this.chats.tell(chat, keyOf(chat) === this.#chosen);
		if (this.found.find(chat.session_id, chat.address)) this.found.tell(chat, true);
	}

	// The chat next to the open one.
	neighbour(step) {
		const list = this.#hits ? this.found.list : this.chats.list;
		const index = list.findIndex((chat) => keyOf(chat) === this.#chosen);
		return list[index < 0 ? 0 : index + step];
	}

	focusSearch() {
		this.input.focus();
		this.input.select();
	}

	setSessions(sessions) {
		this.sessions = sessions;
		this.#drawChips();
		this.rows.redraw();
	}

	#drawChips() {
		const filters = [["all", {}], ["unread", { unread: true }], ["waiting", { waiting: true }], ["groups", { kind: "group" }]];
		const chips = filters.map(([name, filter]) => {
			const chip = h("button.chip", { "aria-pressed": "false", click: () => this.#filter(name, filter) }, t(`filter_${name}`));
			this.#chips.set(name, chip);
			return chip;
		});
		const session = h("select.chip", { "aria-label": t("session"), change: (event) => this.#load({ ...this.chats.filter, session_id: event.target.value || undefined }) },
			h("option", { value: "" }, t("all_sessions")),
			this.sessions.map((one) => h("option", { value: one.session_id, selected: one.session_id === this.chats.filter.session_id }, sessionName(this.sessions, one.session_id))),
		);
		this.chips.replaceChildren(...chips, ...(this.sessions.length > 1 ? [session] : []));
		this.#press(this.pressed ?? "all");
	}

	#press(name) {
		this.pressed = name;
		for (const [one, chip] of this.#chips) chip.ariaPressed = String(one === name);
	}

	#filter(name, filter) {
		this.#press(name);
		this.#load({ ...filter, session_id: this.chats.filter.session_id });
	}

	#load(filter) {
		this.rows.toTop();
		this.chats.load(filter);
		if (this.#hits) this.#find(this.#hits.q);
	}

	#typed() {
		clearTimeout(this.#search);
		const q = this.input.value.trim();
		this.#search = setTimeout(() => this.#find(q), q ? TYPING : 0);
	}

	async #find(q) {
		this.#abort?.abort();
		this.rows.toTop();
		if (!q) {
			this.#hits = null;
			return this.#show();
		}
		this.#abort = new AbortController();
		this.#hits = { q, session_id: this.chats.filter.session_id, list: [], cursor: null };
		this.found.load({ q, session_id: this.#hits.session_id });
		return this.#ask(this.#hits);
	}

	#more() {
		if (!this.#hits) this.chats.more();
		else if (!this.#hits.loading && this.#hits.cursor) this.#ask(this.#hits);
	}

	// The next page of what is looked for.
	async #ask(hits) {
		hits.loading = true;
		const { q, session_id, cursor } = hits;
		try {
			const { results, ...rest } = await get("/api/search", { q, session_id, cursor, limit: HITS }, this.#abort.signal);
			Object.assign(hits, rest, { list: [...hits.list, ...results] });
		} catch (error) {
			Object.assign(hits, { error, cursor: null });
		}
		hits.loading = false;
		if (hits === this.#hits) this.#show();
	}

	// However much changes at once, it is drawn once.
	#show() {
		this.#due ||= requestAnimationFrame(() => {
			this.#due = 0;
			this.#showNow();
		});
	}

	#showNow() {
		const items = this.#hits ? this.#foundItems(this.#hits) : this.chats.list.map(itemOf);
		const error = this.#hits ? this.#hits.error : this.chats.failed;
		if (error && items.length) items.push({ key: "failed", foot: error.message });
		this.rows.items = items;
		const isEmpty = !items.length && !(this.#hits ?? this.chats).loading;
		this.empty.hidden = !isEmpty;
		this.rows.element.hidden = isEmpty;
		if (isEmpty) this.empty.replaceChildren(...this.#nothing());
		if (this.#hits && !this.#hits.loading) document.getElementById("live").textContent = t("found_messages", { count: this.#hits.list.length });
	}

	#foundItems(hits) {
		const chats = this.found.loading ? [] : this.found.list.slice(0, 5);
		const items = [];
		if (chats.length) items.push({ key: "chats", heading: t("chats") });
		items.push(...chats.map(itemOf));
		if (hits.list.length) items.push({ key: "hits", heading: hits.fuzzy ? t("similar_messages") : t("messages") });
		items.push(...hits.list.map(itemOf));
		if (hits.list.length && hits.complete === false) items.push({ key: "incomplete", foot: t("search_incomplete") });
		return items;
	}

	#nothing() {
		const error = this.#hits ? this.#hits.error : this.chats.failed;
		if (error) return [icon("warn"), h("p", error.message), h("button.button", { click: () => (this.#hits ? this.#find(this.#hits.q) : this.reload()) }, t("try_again"))];
		if (this.#hits) return [icon("search"), h("h2", t("nothing_found")), h("p", t("nothing_found_for", { q: this.#hits.q }))];
		if (this.pressed !== "all") return [icon("chat"), h("h2", t(`none_${this.pressed}`))];
		return [icon("chat"), h("h2", t("no_chats")), h("p", t("no_chats_yet"))];
	}

	#draw(item) {
		if (item.heading) return h("div.head", item.heading);
		if (item.foot) return h("p.foot", item.foot);
		if (item.hit) return hitRow(item.hit);
		return chatRow(item.chat, { chosen: item.key === this.#chosen, sessions: this.sessions });
	}

	#key(event) {
		if (event.key !== "ArrowDown") return;
		event.preventDefault();
		this.rows.focus(0);
	}
}

// The same for the same chat or hit, so that its row is not drawn anew while nothing changed.
const made = new WeakMap();

function itemOf(one) {
	if (!made.has(one)) made.set(one, one.snippet === undefined ? { chat: one, key: keyOf(one) } : { hit: one, key: `hit${one.id}` });
	return made.get(one);
}
