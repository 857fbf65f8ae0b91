// Shows the left side: search, filters, and the list of chats or search results.

import { announce, h } from "../page/element.js";
import { icon } from "../page/icons.js";
import { t } from "../page/language.js";
import { accounts, sessionName } from "../page/people.js";
import { get } from "../server/calls.js";
import { chatRow, hitRow, itemOf, newChats, newRow, unsentChats } from "./chatrow.js";
import { Chats, MAX_PAGE, keyOf } from "./chats.js";
import { FILTERS, chips, choice, count, limits, upTo } from "./filters.js";
import { Found } from "./found.js";
import { toggleUnread } from "./reading.js";
import { Rows } from "./rows.js";
import { SearchFilters, searchField } from "./searchfilters.js";
import { onSwipe } from "./swipe.js";

const TYPING = 200; // ms without typing before a search begins
const COUNTING = 2000; // ms between two counts of the chats

export class Side {
	#chosen = null;
	#hits = null; // an instance of Found during a search
	#announced = null; // the search whose result was announced
	#search = null;
	#due = 0;
	#pressed = "all";
	#counting = null;
	#labels = [];

	// onCount: called with the number of chats under each filter. onEmpty: called with true if there are no chats at all.
	constructor({ facts, menu, onCount, onEmpty }) {
		Object.assign(this, { facts, onCount, onEmpty });
		this.chats = new Chats(() => this.#show());
		this.found = new Chats(() => this.#show());
		this.input = searchField("search", () => this.#typed(), (event) => this.#key(event));
		this.chips = h("div.chips", { role: "group", "aria-label": t("filters") });
		this.narrow = new SearchFilters(() => this.#find(this.#hits.q));
		this.narrow.element.hidden = true;
		this.rows = new Rows({
			label: t("chats"),
			draw: (item) => this.#draw(item),
			height: (item) => (item.heading ? 48 : item.foot ? 96 : 72),
			onNearEnd: () => this.#more(),
		});
		onSwipe(this.rows.element);
		this.empty = h("div.blank", t("loading"));
		this.rows.element.hidden = true;
		this.element = h("aside.side", { "aria-label": t("chats") }, menu, h("div.find", { role: "search" }, icon("search"), this.input), this.chips, this.narrow.element, this.empty, this.rows.element);
		this.learned();
		// A hidden page may have no stream, but the title of its tab is visible.
		this.clock = setInterval(() => (document.hidden ? this.#count(0) : this.rows.redraw()), 60_000);
		facts.outbox.onChange(() => (this.rows.redraw(), this.#show()));
	}

	close() {
		clearInterval(this.clock);
		clearTimeout(this.#counting);
	}

	// Reloads everything and keeps the scroll position.
	reload() {
		this.#count();
		this.relabel();
		this.restar();
		return this.chats.load(this.chats.filter, this.chats.list.length);
	}

	choose(session, address) {
		this.#chosen = session ? keyOf({ session_id: session, address }) : null;
		this.rows.redraw();
	}

	find(session, address) {
		return this.chats.find(session, address) ?? this.found.find(session, address);
	}

	restar() {
		this.#hits?.restar();
	}

	update(chat) {
		this.chats.update(chat, keyOf(chat) === this.#chosen);
		if (this.found.find(chat.session_id, chat.address)) this.found.update(chat, true);
		this.#count();
	}

	// Requests the counts at most once in two seconds, however many changes arrive.
	#count(pause = COUNTING) {
		this.#counting ??= setTimeout(async () => {
			this.#counting = null;
			const answer = await get("/api/chat-counts", { session_id: this.chats.filter.session_id }).catch(() => null);
			if (!answer) return;
			this.facts.counts = answer;
			for (const chip of this.chips.querySelectorAll("[data-filter]")) chip.lastChild.replaceWith(count(answer[chip.dataset.filter]));
			this.onCount(answer);
		}, pause);
	}

	// Returns the chat that waits longest or, if the open chat is waiting, the next one by waiting time; after the
	// last, the first.
	async nextWaiting() {
		const { session_id, label } = this.chats.filter;
		const { contacts } = await get("/api/chats", { sort: "waiting_since", session_id, label, limit: this.#chosen ? MAX_PAGE : 1 });
		return contacts[(contacts.findIndex((chat) => keyOf(chat) === this.#chosen) + 1) % contacts.length];
	}

	// Returns the chat next to the open one.
	neighbour(step) {
		const list = this.#hits ? this.found.list : this.chats.list;
		const index = list.findIndex((chat) => keyOf(chat) === this.#chosen);
		return list[index < 0 ? 0 : index + step];
	}

	focusSearch() {
		this.input.focus();
		this.input.select();
	}

	// Called when the sessions have changed.
	learned() {
		const { sessions } = this.facts;
		const { filter } = this.chats;
		const own = accounts(sessions).map((one) => [one.session_id, sessionName(sessions, one.session_id)]);
		const labels = this.#labels.map((one) => [one, one]);
		const pick = (name) => (value) => this.#filter({ ...this.chats.filter, [name]: value });
		this.chips.replaceChildren(
			...chips(this.#pressed, this.facts.counts, (...pressed) => this.#press(...pressed)),
			...(own.length > 1 ? [choice(t("session"), t("all_sessions"), own, filter.session_id, pick("session_id"))] : []),
			...(labels.length ? [choice(t("label"), t("all_labels"), labels, filter.label, pick("label"))] : []),
			...limits(filter, () => this.#press("all", {})),
		);
		this.rows.redraw();
	}

	// Shows the chats that match the filter in the page's address (route.js).
	show(filter) {
		this.#pressed = filter.waiting ? "waiting" : filter.unread ? "unread" : "all";
		this.#filter({ ...FILTERS[this.#pressed], ...filter });
		this.learned();
	}

	// Called when the set of labels has changed.
	async relabel() {
		const answer = await get("/api/labels").catch(() => null);
		if (answer) this.#labels = answer.labels.map((one) => one.label);
		this.learned();
	}

	#press(name, filter) {
		this.#pressed = name;
		const { session_id, label } = this.chats.filter;
		this.#filter({ ...filter, session_id, label });
		this.chips.querySelector(".limit")?.remove();
		for (const chip of this.chips.querySelectorAll("[data-filter]")) chip.ariaPressed = String(chip.dataset.filter === name);
	}

	#filter(filter) {
		this.rows.toTop();
		this.chats.load(filter);
		this.#count(0);
		this.#find(this.input.value.trim());
	}

	#typed() {
		clearTimeout(this.#search);
		const q = this.input.value.trim();
		this.#search = setTimeout(() => this.#find(q), q ? TYPING : 0);
	}

	#find(q) {
		this.#hits?.close();
		this.rows.toTop();
		this.#hits = null;
		const isStarred = this.#pressed === "starred";
		this.narrow.element.hidden = !q;
		if (!q) this.narrow.clear();
		if (!q && !isStarred) {
			this.#show();
			return;
		}
		const { filter } = this.chats;
		this.#hits = new Found({ q, isStarred, words: this.narrow.value, filter, onChange: () => this.#show() });
		this.found.list = [];
		if (!isStarred) this.found.load({ ...filter, q });
	}

	#more() {
		(this.#hits ?? this.chats).more();
	}

	// Redraws once, however many changes arrive at the same time.
	#show() {
		this.#due ||= requestAnimationFrame(() => {
			this.#due = 0;
			this.#showNow();
		});
	}

	#showNow() {
		const isAll = !Object.values(this.chats.filter).some(Boolean);
		const items = this.#hits ? this.#foundItems(this.#hits) : [...(isAll ? unsentChats(this) : []), ...this.chats.list.map(itemOf)];
		const { error, loading } = this.#hits ?? this.chats;
		if (error && items.length) items.push({ key: "failed", foot: error.message });
		const isEmpty = !items.length && !loading;
		if (!loading && !error && isAll) this.onEmpty(!this.chats.list.length);
		this.empty.hidden = !isEmpty;
		this.rows.element.hidden = isEmpty;
		this.rows.items = items;
		if (isEmpty) this.empty.replaceChildren(...this.#nothing(error));
		if (!this.#hits || loading || this.#hits === this.#announced) return;
		this.#announced = this.#hits;
		announce(error ? error.message : t("found_messages", { count: this.#hits.count ?? this.#hits.list.length }));
	}

	#foundItems(hits) {
		const chats = this.found.loading ? [] : [...this.found.list.slice(0, 5).map(itemOf), ...newChats(hits.q, this.found.list, this.chats.filter.session_id, this.facts)];
		const messages = hits.list.map(itemOf);
		const all = (hits.count ?? "") && upTo(hits.count);
		if (chats.length) chats.unshift({ key: "chats", heading: this.found.fuzzy ? t("similar_chats") : t("chats") });
		if (messages.length) messages.unshift({ key: "hits", heading: `${hits.fuzzy ? t("similar_messages") : t("messages")} ${all}` });
		if (messages.length && hits.complete === false) messages.push({ key: "incomplete", foot: t("search_incomplete") });
		return [...chats, ...messages];
	}

	#nothing(error) {
		if (error) return [icon("warn"), h("p", error.message), h("button.button", { click: () => (this.#hits ? this.#find(this.#hits.q) : this.reload()) }, t("try_again"))];
		if (this.#hits && !this.#hits.q) return [icon("star"), h("h2", t("none_here"))];
		if (this.#hits) return [icon("search"), h("h2", t("nothing_found")), h("p", t(this.#pressed !== "all" || Object.values({ ...this.chats.filter, ...this.narrow.value }).some(Boolean) ? "filters_limit" : "nothing_found_for", { q: this.#hits.q }))];
		if (this.#pressed !== "all") return [icon("chat"), h("h2", t("none_here"))];
		return [icon("chat"), h("h2", t("no_chats")), h("p", t("no_chats_yet")), h("a.button", { href: "#/start" }, t("first_message_how"))];
	}

	#draw({ key, heading, foot, hit, chat, digits, session }) {
		if (heading) return [h("h2.head", heading)];
		if (foot) return [h("p.foot", foot)];
		if (digits) return [newRow(session, digits)];
		if (hit) return hitRow(hit, this.#hits?.q);
		return chatRow(chat, { chosen: key === this.#chosen, sessions: this.facts.sessions, mark: chat.kind && this.facts.may.write && toggleUnread, unsent: key === this.#chosen ? null : this.facts.outbox.mark(key) });
	}

	#key(event) {
		if (event.key === "ArrowDown") this.rows.focus(0);
		else if (event.key === "Escape" && this.input.value) {
			event.stopPropagation();
			this.input.value = "";
			this.#typed();
		} else return;
		event.preventDefault();
	}
}
