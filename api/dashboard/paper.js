// Messages on paper, or as the PDF that a browser makes of it: whole dates, the period, and when it was printed.

import { bubble } from "./bubble.js";
import { chatPath, get } from "./calls.js";
import { h } from "./element.js";
import { dayOf, full, longDay, t } from "./language.js";
import { nameOf, spelled } from "./people.js";
import { keyOf } from "./timeline.js";

const PAGE = 500;
const MOST = 5000; // messages: a browser lays out some hundred pages at once

// {print()}: the newest messages of a period that paper has room for.
export async function printed({ chat, address, session, isGroup }, period) {
	const messages = [];
	let before = null;
	do {
		const told = await get(chatPath(address), { session_id: session, ...period, limit: PAGE, before });
		messages.unshift(...told.messages);
		before = told.before;
	} while (before !== null && messages.length < MOST);
	const who = chat ?? { address };
	const sheet = h("article.paper", heading(who, messages, period), h("ol.messages", items(messages, nameOf(who), isGroup)), before !== null && h("p", t("older_not_printed")));
	return { print: () => print(sheet) };
}

function heading(who, messages, { since, until }) {
	const first = since ?? messages[0]?.timestamp;
	const last = until ? until - 1 : messages.at(-1)?.timestamp;
	const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
	return h("header", h("h1", h("bdi", nameOf(who))), h("p", spelled(who.address, who.kind)), first && h("p", t("printed_period", { from: longDay(first), until: longDay(last) })), h("p", t("times_in_zone", { zone: timeZone })), h("p", t("printed_on", { time: full(Date.now()) })));
}

function items(messages, name, group) {
	const byId = new Map(messages.map((one) => [one.message_id, one]));
	let previous = null;
	return messages.flatMap((message) => {
		const isNewDay = !previous || dayOf(previous.timestamp) !== dayOf(message.timestamp);
		previous = message;
		const item = bubble(message, { key: keyOf(message), follows: false, found: false, quoted: byId.get(message.reply_to), receipts: null, group, name, on: {} });
		return isNewDay ? [h("li.day", h("span", longDay(message.timestamp))), item] : [item];
	});
}

function print(sheet) {
	document.body.append(sheet);
	addEventListener("afterprint", () => sheet.remove(), { once: true });
	globalThis.print();
}
