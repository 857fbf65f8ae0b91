// Shows the messages of a conversation as items, with days, outages and marks between them.

import { onArrows, onLongPress, rove } from "../message/actions.js";
import { bubble } from "../message/bubble.js";
import { between, outageItem } from "../message/outages.js";
import { keyOf } from "../message/timeline.js";
import { h, place } from "../page/element.js";
import { day, dayOf, t } from "../page/language.js";

const SOON = 3_600_000; // ms after a send within which the same text is probably that send
const TOGETHER = 300_000; // ms within which messages of one sender are grouped

export class MessageList {
	#items = new Map();
	element = h("ol.messages");

	// watch(li, message): called with each new item. on: the actions of a message.
	constructor({ timeline, isGroup, watch, isDismissed, on }) {
		Object.assign(this, { timeline, isGroup, watch, isDismissed, on });
		onLongPress(this.element);
		onArrows(this.element);
	}

	// Shows text instead of messages.
	say(...words) {
		this.#items.clear();
		this.element.replaceChildren(h("li.edge", words));
	}

	item(message) {
		return message && this.#items.get(keyOf(message))?.li;
	}

	firstVisible(scroll) {
		const top = scroll.getBoundingClientRect().top;
		return this.timeline.messages.find((one) => this.item(one)?.getBoundingClientRect().bottom > top);
	}

	// Keeps the first visible message in place when messages above it change.
	keepPlace(scroll, draw) {
		const anchor = this.firstVisible(scroll);
		const top = () => this.item(anchor)?.getBoundingClientRect().top;
		const before = anchor && top();
		draw();
		if (anchor) scroll.scrollTop += (top() ?? before) - before;
	}

	// seat: {letters: not sent yet, divider: key of the first unread, found: id of the searched message, name, receipts, source: name of a session}.
	draw(seat) {
		const { timeline } = this;
		const messages = [...timeline.messages, ...seat.letters];
		const nodes = [];
		const kept = new Map();
		const put = (key, made) => {
			kept.set(key, made);
			nodes.push(made.li);
		};
		const fixed = (key, make) => put(key, this.#items.get(key) ?? { li: make() });
		const outages = (after, upTo) => {
			for (const one of after ? between(timeline.outages.values(), after.timestamp, upTo) : []) fixed(`outage${one.from}`, () => outageItem(one));
		};
		let previous = null;
		if (!messages.length) fixed("none", () => h("li.edge", t("no_messages")));
		else if (timeline.before === null) fixed("begin", () => h("li.edge", t("begins_here")));
		for (const message of messages) {
			const key = keyOf(message);
			// Unsent messages are at the end, regardless of when they were written.
			const isNewDay = !previous || (!message.local && dayOf(previous.timestamp) !== dayOf(message.timestamp));
			if (!message.local) outages(previous, message.timestamp);
			if (isNewDay) fixed(`day${dayOf(message.timestamp)} ${day(message.timestamp)}`, () => h("li.day", h("span", day(message.timestamp))));
			if (key === seat.divider) fixed("since", () => h("li.since", t("unread_from_here")));
			const follows = !isNewDay && key !== seat.divider && isOfSame(previous, message);
			put(key, this.#make(message, key, follows, seat));
			previous = message;
		}
		if (timeline.after === null) outages(previous, Infinity);
		this.#items = kept;
		const focused = document.activeElement?.closest("li[data-key]")?.dataset.key;
		place(this.element, nodes);
		rove(this.element);
		if (focused && document.activeElement === document.body) kept.get(focused)?.li.querySelector("[popovertarget]").focus({ preventScroll: true });
	}

	// Returns when the same text arrived soon after a send of unknown outcome.
	#twin({ message_text: text, timestamp }) {
		const isSame = (one) => one.direction === "outgoing" && !["failed", "unknown", "queued", "pending"].includes(one.status) && one.message_text === text && one.timestamp >= timestamp && one.timestamp < timestamp + SOON;
		return text ? this.timeline.messages.find(isSame)?.timestamp : null;
	}

	#make(message, key, follows, { found: wanted, name, receipts, source }) {
		const quoted = message.reply_to ? this.timeline.find(message.reply_to) : null;
		const found = wanted !== null && (message.message_id === wanted || message.send_id === wanted);
		const known = this.#items.get(key);
		const wrong = ["failed", "unknown"].includes(message.status);
		const dismissed = wrong && Boolean(message.send_id) && this.isDismissed(message);
		const twin = wrong && !dismissed ? this.#twin(message) : null;
		const missed = (message.missed_by ?? []).map(source);
		const look = `${missed} ${follows} ${found} ${message.status} ${message.reason} ${receipts} ${quoted?.rev} ${Boolean(message.versions)} ${dismissed} ${twin}`;
		if (known?.message === message && known.look === look) return known;
		const li = bubble(message, { key, follows, found, quoted, receipts, missed, dismissed, twin, group: this.isGroup, name, on: this.on });
		this.watch(li, message);
		return { li, message, look };
	}
}

function isOfSame(previous, message) {
	return previous.direction === message.direction && previous.sender === message.sender && previous.sender_name === message.sender_name && message.timestamp - previous.timestamp < TOGETHER;
}
