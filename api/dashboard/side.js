// The left side: search, filters, and the list of chats or of what was found.

import { get } from "./calls.js";
import { chatRow, hitRow } from "./chatrow.js";
import { Chats, keyOf } from "./chats.js";
import { announce, h } from "./element.js";
import { icon } from "./icons.js";
import { number, range, t } from "./language.js";
import { accounts, sessionName } from "./people.js";
import { toggleUnread } from "./reading.js";
import { Rows } from "./rows.js";
import { SearchFilters } from "./searchfilters.js";

const TYPING = 200; // ms of rest before a search begins
const HITS = 30;
const COUNTED = 1000; // matches up to which the API counts
const COUNTING = 2000; // ms between two counts of the chats
const FILTERS = { all: {}, unread: { unread: true }, waiting: { waiting: true, sort: "waiting_since" }, groups: { kind: "group" } };

export class Side {
	#chosen = null;
	#hits = null; // {q, list, cursor, fuzzy, complete, error, loading}
	#search = null;
	#abort = null;
	#due = 0;
	#pressed = "all";
	#counting = null;

	// onCount: told how many chats there are under each filter. onEmpty: whether there is none at all.
	constructor({ facts, menu, onCount, onEmpty }) {
		Object.assign(this, { facts, onCount, onEmpty });
		this.chats = new Chats(() => this.#show());
		this.found = new Chats(() => this.#show());
		this.input = h("input.field", { type: "search", placeholder: t("search"), "aria-label": t("search"), autocomplete: "off", spellcheck: "false", maxlength: 200, input: () => this.#typed(), keydown: (event) => this.#key(event) });
		this.chips = h("div.chips", { role: "group", "aria-label": t("filters") });
		this.narrow = new SearchFilters(() => this.#find(this.#hits.q));
		this.narrow.element.hidden = true;
		this.rows = new Rows({
			label: t("chats"),
			draw: (item) => this.#draw(item),
			height: (item) => (item.heading ? 48 : item.foot ? 96 : 72),
			onNearEnd: () => this.#more(),
		});
		this.empty = h("div.blank", { hidden: true });
		this.element = h("aside.side", { "aria-label": t("chats") }, menu, h("div.find", { role: "search" }, icon("search"), this.input), this.chips, this.narrow.element, this.empty, this.rows.element);
		this.learned();
		this.#count();
		setInterval(() => !document.hidden && this.rows.redraw(), 60_000);
		facts.outbox.onChange(() => this.rows.redraw());
	}

	// Everything anew, where it stands.
	reload() {
		return this.chats.load(this.chats.filter, this.chats.list.length);
	}

	choose(session, address) {
		this.#chosen = session ? keyOf({ session_id: session, address }) : null;
		this.rows.redraw();
	}

	find(session, address) {
		return this.chats.find(session, address) ?? this.found.find(session, address);
	}

	tell(chat) {
		this.chats.tell(chat, keyOf(chat) === this.#chosen);
		if (this.found.find(chat.session_id, chat.address)) this.found.tell(chat, true);
		this.#count();
	}

	// However much changes, it is counted at most once in two seconds.
	#count(pause = COUNTING) {
		this.#counting ??= setTimeout(async () => {
			this.#counting = null;
			const told = await get("/api/chat-counts", { session_id: this.chats.filter.session_id }).catch(() => null);
			if (!told) return;
			this.facts.counts = told;
			for (const chip of this.chips.querySelectorAll("[data-filter]")) chip.lastChild.replaceWith(count(told[chip.dataset.filter]));
			this.onCount(told);
		}, pause);
	}

	// The chat that waits longest, below the open one if that waits, too.
	async nextWaiting() {
		const { contacts } = await get("/api/chats", { sort: "waiting_since", session_id: this.chats.filter.session_id, limit: 50 });
		return contacts[contacts.findIndex((chat) => keyOf(chat) === this.#chosen) + 1];
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

	// What is known of the sessions has changed.
	learned() {
		const { sessions } = this.facts;
		const chosen = this.chats.filter.session_id;
		const chips = Object.entries(FILTERS).map(([name, filter]) => h("button.chip", { "data-filter": name, "aria-pressed": String(name === this.#pressed), click: () => this.#press(name, filter) }, t(`filter_${name}`), " ", count(this.facts.counts?.[name])));
		const choices = accounts(sessions);
		const options = choices.map((one) => h("option", { value: one.session_id, selected: one.session_id === chosen }, sessionName(sessions, one.session_id)));
		const session = h("select.chip", { "aria-label": t("session"), change: ({ target }) => this.#filter({ ...this.chats.filter, session_id: target.value || undefined }) }, h("option", { value: "" }, t("all_sessions")), options);
		this.chips.replaceChildren(...chips, ...(choices.length > 1 ? [session] : []), ...this.#limit());
		this.rows.redraw();
	}

	// The chats of a link (route.js).
	show(filter) {
		this.#pressed = filter.waiting ? "waiting" : filter.unread ? "unread" : "all";
		this.#filter({ ...FILTERS[this.#pressed], ...filter });
		this.learned();
	}

	// The messages that the chats of a link have, and the way back to all chats.
	#limit() {
		const { since, until, direction, answered, session_id } = this.chats.filter;
		if (!since && !direction && !answered) return [];
		const kind = t(answered ? "answered" : direction ? { incoming: "messages_in", outgoing: "messages_out" }[direction] : "messages");
		const told = [kind, since && until && range(Number(since), Number(until))].filter(Boolean).join(" · ");
		return [h("button.chip.limit", { "aria-pressed": "true", title: t("remove_filter"), click: () => this.#press("all", { session_id }) }, h("span", told), icon("close", t("remove_filter")))];
	}

	#press(name, filter) {
		this.#pressed = name;
		this.#filter({ ...filter, session_id: this.chats.filter.session_id });
		this.chips.querySelector(".limit")?.remove();
		for (const chip of this.chips.querySelectorAll("[data-filter]")) chip.ariaPressed = String(chip.dataset.filter === name);
	}

	#filter(filter) {
		this.rows.toTop();
		this.chats.load(filter);
		this.#count(0);
		if (this.#hits) this.#find(this.#hits.q);
	}

	#typed() {
		clearTimeout(this.#search);
		const q = this.input.value.trim();
		this.#search = setTimeout(() => this.#find(q), q ? TYPING : 0);
	}

	#find(q) {
		this.#abort?.abort();
		this.rows.toTop();
		this.#hits = null;
		this.narrow.element.hidden = !q;
		if (!q) return this.narrow.clear(), this.#show();
		this.#abort = new AbortController();
		this.#hits = { q, filter: this.chats.filter, list: [], cursor: null };
		this.found.load({ ...this.chats.filter, q });
		return this.#ask(this.#hits);
	}

	#more() {
		if (!this.#hits) this.chats.more();
		else if (!this.#hits.loading && this.#hits.cursor) this.#ask(this.#hits);
	}

	// The next page of what is looked for.
	async #ask(hits) {
		hits.loading = true;
		const { q, cursor } = hits;
		const { sort, answered, ...filter } = hits.filter;
		try {
			const { results, count: all, ...rest } = await get("/api/search", { ...filter, ...this.narrow.value, q, cursor, limit: HITS, count: !cursor }, this.#abort.signal);
			Object.assign(hits, rest, { list: [...hits.list, ...results], count: cursor ? hits.count : all });
		} catch (error) {
			Object.assign(hits, { error, cursor: null });
		}
		hits.loading = false;
		this.#show();
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
		const { error, loading } = this.#hits ?? this.chats;
		if (error && items.length) items.push({ key: "failed", foot: error.message });
		this.rows.items = items;
		const isEmpty = !items.length && !loading;
		if (!loading && !error && !Object.values(this.chats.filter).some(Boolean)) this.onEmpty(!this.chats.list.length);
		this.empty.hidden = !isEmpty;
		this.rows.element.hidden = isEmpty;
		if (isEmpty) this.empty.replaceChildren(...this.#nothing(error));
		if (this.#hits && !loading) announce(t("found_messages", { count: this.#hits.count ?? this.#hits.list.length }));
	}

	#foundItems(hits) {
		const chats = this.found.loading ? [] : this.found.list.slice(0, 5).map(itemOf);
		const messages = hits.list.map(itemOf);
		const all = hits.count >= COUNTED ? `${number(COUNTED)}+` : (hits.count ?? "") && number(hits.count);
		if (chats.length) chats.unshift({ key: "chats", heading: this.found.fuzzy ? t("similar_chats") : t("chats") });
		if (messages.length) messages.unshift({ key: "hits", heading: `${hits.fuzzy ? t("similar_messages") : t("messages")} ${all}` });
		if (messages.length && hits.complete === false) messages.push({ key: "incomplete", foot: t("search_incomplete") });
		return [...chats, ...messages];
	}

	#nothing(error) {
		if (error) return [icon("warn"), h("p", error.message), h("button.button", { click: () => (this.#hits ? this.#find(this.#hits.q) : this.reload()) }, t("try_again"))];
		if (this.#hits) return [icon("search"), h("h2", t("nothing_found")), h("p", t("nothing_found_for", { q: this.#hits.q }))];
		if (this.#pressed !== "all") return [icon("chat"), h("h2", t("none_here"))];
		return [icon("chat"), h("h2", t("no_chats")), h("p", t("no_chats_yet")), h("a.button", { href: "#/start" }, t("first_message_how"))];
	}

	#draw({ key, heading, foot, hit, chat }) {
		if (heading) return [h("h2.head", heading)];
		if (foot) return [h("p.foot", foot)];
		if (hit) return hitRow(hit, this.#hits?.q);
		return chatRow(chat, { chosen: key === this.#chosen, sessions: this.facts.sessions, mark: this.facts.scopes.includes("write") && toggleUnread, unsent: key === this.#chosen ? null : this.facts.outbox.mark(key) });
	}

	#key(event) {
		if (event.key !== "ArrowDown") return;
		event.preventDefault();
		this.rows.focus(0);
	}
}

// Beside the name of a filter.
function count(value) {
	return h("span.count", !value ? "" : value >= 1000 ? "999+" : number(value));
}

// The same for the same chat or hit, so that its row is not drawn anew while nothing changed.
const made = new WeakMap();

function itemOf(one) {
	if (!made.has(one)) made.set(one, one.snippet === undefined ? { chat: one, key: keyOf(one) } : { hit: one, key: `hit${one.id}` });
	return made.get(one);
}
