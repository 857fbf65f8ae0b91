// Prints messages, or creates a PDF from them in the browser: with full dates, the period, and the time of printing.

import { bubble } from "../message/bubble.js";
import { said } from "../message/formatting.js";
import { keyOf } from "../message/timeline.js";
import { h } from "../page/element.js";
import { dayOf, full, longDay, moment, t, zoneName } from "../page/language.js";
import { callerName, nameOf, sessionName, spelled } from "../page/people.js";
import { chatPath, get } from "../server/calls.js";

const PAGE = 500;
const MAX_PRINTED = 5000; // messages, because a browser lays out only some hundred pages at once

// Returns {print()}, which prints the newest messages of a period, up to MAX_PRINTED.
export async function printed({ chat, address, session, isGroup, facts }, period) {
	const profile = await get(chatPath(address, "/profile"), { session_id: session });
	const messages = [];
	let before = null;
	do {
		const page = await get(chatPath(address), { session_id: session, ...period, limit: PAGE, before });
		messages.unshift(...page.messages);
		before = page.before;
	} while (before !== null && messages.length < MAX_PRINTED);
	const who = chat ?? { address };
	const sheet = h("article.paper", heading(who, messages, period, sessionName(facts.sessions, session)), written(profile.chats[0]), h("ol.messages", items(messages, nameOf(who), isGroup)), before !== null && h("p", t("older_not_printed")));
	return { print: () => print(sheet) };
}

// Returns the labels and notes of a chat. The chat is undefined if it has no messages yet.
function written({ labels = [], notes = [] } = {}) {
	const at = ({ created_at: created, changed_at: changed }) => moment(changed ?? created);
	return [labels.length > 0 && h("p", `${t("labels")}: `, h("bdi", labels.join(", "))), ...notes.map((one) => h("div.note", said(one.text), h("p.small", `${callerName(one.author)} · ${at(one)}`)))];
}

function heading(who, messages, { since, until }, session) {
	const first = since ?? messages[0]?.timestamp;
	const last = until ? until - 1 : messages.at(-1)?.timestamp;
	return h("header", h("h1", h("bdi", nameOf(who))), h("p", spelled(who.address, who.kind), " · ", h("bdi", session)), first && h("p", t("printed_period", { from: longDay(first), until: longDay(last) })), h("p", t("times_in_zone", { zone: zoneName() })), h("p", t("printed_on", { time: full(Date.now()) })));
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
