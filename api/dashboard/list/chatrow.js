// Builds one row of the list: a chat, or a message that a search found.

import { summary } from "../message/bubble.js";
import { kindOf } from "../message/kinds.js";
import { h } from "../page/element.js";
import { icon, tick, tool } from "../page/icons.js";
import { brief, full, number, span, t, time } from "../page/language.js";
import { accounts, avatar, nameOf, sessionMark, sessionName, typedNumber } from "../page/people.js";
import { toChat } from "../page/route.js";
import { keyOf } from "./chats.js";

// The API returns placeholders such as `[image]` in its own language.
function words({ preview, raw_type, message_type }, address) {
	const name = /^\[([a-z ]+)\]$/.exec(preview)?.[1];
	if (name === "deleted") return t("deleted");
	if (name === "waiting for this message") return t("undecrypted");
	return name === message_type ? kindOf({ message_type, raw_type, address }) : preview;
}

const LONG = [0, 3_600_000, 86_400_000]; // ms of waiting from which each colour is used

// Shows how long somebody has waited for an answer. Broadcasts do not wait for answers.
export function waits(chat) {
	if (!chat.waiting_since || ["broadcast", "newsletter"].includes(chat.kind)) return null;
	// The clock of this device may be behind.
	const ms = Math.max(60_000, Date.now() - Date.parse(chat.waiting_since));
	const label = t("waits_since", { time: full(chat.waiting_since) });
	const age = LONG.findLastIndex((least) => ms >= least);
	return h(["span.waits", "span.waits.long", "span.waits.longest"][age], { title: label }, icon("clock"), h("span.unseen", label), h("span", { "aria-hidden": "true" }, span(ms)));
}

export function isUnread(chat) {
	return chat.unread_count > 0 || chat.marked_unread;
}

// unsent: the result of Outbox.mark for the chat
export function chatRow(chat, { chosen, sessions, mark, unsent }) {
	const last = chat.last_message;
	const preview = unsent ? [h("b.wrong", t(unsent.draft ? "draft" : "status_failed")), unsent.draft && ` ${unsent.draft}`] : last ? [last.direction === "outgoing" && last.status && [tick(last.status, t(`status_${last.status}`)), " "], last.sender_name && chat.kind === "group" && `${last.sender_name}: `, words(last, chat.address)] : [];
	const session = accounts(sessions).length > 1 && h("span.session.cut", { title: `${t("session")}: ${sessionName(sessions, chat.session_id)}` }, sessionMark(sessions, chat.session_id, true));
	const unread = isUnread(chat);
	const to = { class: unread ? "chat unread" : "chat", href: toChat(chat.session_id, chat.address), "aria-current": chosen ? "true" : null };
	const link = row(to, chat, chat.last_message_at, preview, session, [waits(chat), badge(chat)]);
	link.swiped = mark && (() => mark(chat));
	return [link, mark && tool("dot", t(unread ? "mark_read" : "mark_unread"), { click: () => mark(chat) })].filter(Boolean);
}

// q: the search words that found it
export function hitRow(hit, q) {
	const chat = { ...hit, kind: hit.address.endsWith("@g.us") ? "group" : null };
	return [row({ class: "chat", href: toChat(hit.session_id, hit.address, hit.message_id, q) }, chat, hit.timestamp, [hit.direction === "outgoing" && `${t("you")}: `, ...marked(hit.snippet, hit.ranges)])];
}

// Builds a row for a starred message, which is shown like a hit without a query.
export function unmarked(message) {
	return { ...message, snippet: summary(message), ranges: [] };
}

// Builds a row for a typed number that has no chat yet.
export function newChats(text, known, session, { sessions, may }) {
	const digits = typedNumber(text);
	const from = session ?? accounts(sessions)[0]?.session_id;
	const isNew = digits && from && may.write && !known.some((chat) => chat.address === digits);
	return isNew ? [{ key: `new${digits}`, digits, session: from }] : [];
}

// Finds the chats with unsent texts that the list does not contain, such as those with a number that has no chat yet.
export function unsentChats({ facts, chats }) {
	const listed = new Set(chats.list.map(keyOf));
	return facts.outbox.chats.filter((key) => !listed.has(key)).map((key) => {
		const [session_id, address] = key.split("\n");
		return { key, chat: chats.find(session_id, address) ?? { session_id, address } };
	});
}

export function newRow(session, number) {
	return row({ class: "chat", href: toChat(session, number) }, { address: number }, null, [t("write_first")]);
}

function row(to, chat, at, preview, beside, below) {
	return h("a", to, avatar(chat), h("span.cut", h("span.line", h("bdi.name", nameOf(chat)), beside, at && time(at, brief(at))), h("span.line", h("span.preview", { dir: "auto" }, preview), below)));
}

function badge(chat) {
	if (!isUnread(chat)) return null;
	if (!chat.unread_count) return h("span.badge.dot", h("span.unseen", t("marked_unread")));
	return h("span.badge", h("span", { "aria-hidden": "true" }, chat.unread_count > 999 ? "999+" : number(chat.unread_count)), h("span.unseen", t("unread_count", { count: chat.unread_count })));
}

// Ranges count Unicode characters, but JavaScript strings count UTF-16 units.
function marked(text, ranges) {
	const characters = [...text];
	// A row shows about forty characters, so it begins where the first match is visible.
	let end = ranges[0]?.[0] > 24 ? ranges[0][0] - 16 : 0;
	const parts = end ? ["…"] : [];
	for (const [from, to] of ranges) {
		parts.push(characters.slice(end, from).join(""), h("mark", characters.slice(from, to).join("")));
		end = to;
	}
	return [...parts, characters.slice(end).join("")];
}

// Returns the same key for the same chat or hit, so that unchanged rows are not rebuilt.
const made = new WeakMap();

export function itemOf(one) {
	if (!made.has(one)) made.set(one, one.snippet === undefined ? { chat: one, key: keyOf(one) } : { hit: one, key: `hit${one.id}` });
	return made.get(one);
}
