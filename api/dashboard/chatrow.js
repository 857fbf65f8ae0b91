// One row of the list: a chat, or a message that a search found.

import { h } from "./element.js";
import { icon, tick } from "./icons.js";
import { brief, full, number, span, t } from "./language.js";
import { avatar, nameOf, sessionName } from "./people.js";
import { toChat } from "./route.js";

const KINDS = ["image", "video", "audio", "document", "sticker", "location", "contact", "poll", "system", "unknown"];

// `[image]` and the like come from the API in its own words.
export function words(preview) {
	const name = /^\[([a-z ]+)\]$/.exec(preview)?.[1];
	if (name === "deleted") return t("deleted");
	if (name === "waiting for this message") return t("undecrypted_short");
	return KINDS.includes(name) ? t(`type_${name}`) : preview;
}

// Nobody who sends to everybody waits for an answer.
export function waitingSince(chat) {
	return chat.waiting_since && !["broadcast", "newsletter"].includes(chat.kind) ? Date.parse(chat.waiting_since) : null;
}

export function statusWords(status) {
	return t(`status_${status}`);
}

export function chatRow(chat, { chosen, sessions }) {
	const last = chat.last_message;
	const unread = chat.unread_count > 0 || chat.marked_unread;
	const waits = waitingSince(chat);
	const name = nameOf(chat);
	const preview = last
		? [last.direction === "outgoing" && last.status ? tick(last.status, statusWords(last.status)) : null, last.sender_name && chat.kind === "group" ? `${last.sender_name}: ` : null, words(last.preview)]
		: [];
	return h("a",
		{ class: unread ? "chat unread" : "chat", href: toChat(chat.session_id, chat.address), "aria-current": chosen ? "true" : null },
		avatar(chat),
		h("span.lines", h("span.line", h("bdi.name", name),
				sessions.length > 1 ? h("span.session", { title: t("session") }, sessionName(sessions, chat.session_id)) : null,
				chat.last_message_at ? h("time", { datetime: chat.last_message_at, title: full(Date.parse(chat.last_message_at)) }, brief(Date.parse(chat.last_message_at))) : null,
			),
			h("span.line", h("span.preview", { dir: "auto" }, ...preview),
				waits ? h("span.waits", { title: t("waits_since", { time: full(waits) }) }, icon("clock"), h("span.unseen", t("waits")), span(Math.max(60_000, Date.now() - waits))) : null,
				badge(chat),
			),
		),
	);
}

function badge(chat) {
	if (chat.unread_count > 0) {
		return h("span.badge", h("span", { "aria-hidden": "true" }, chat.unread_count > 999 ? "999+" : number(chat.unread_count)), h("span.unseen", t("unread_count", { count: chat.unread_count })));
	}
	return chat.marked_unread ? h("span.badge.dot", h("span.unseen", t("marked_unread"))) : null;
}

export function hitRow(hit) {
	const chat = { address: hit.address, name: hit.name, kind: hit.address.endsWith("@g.us") ? "group" : null };
	return h("a.chat", { href: toChat(hit.session_id, hit.address, hit.message_id) },
		avatar(chat),
		h("span.lines", h("span.line", h("bdi.name", nameOf(chat)), h("time", { datetime: new Date(hit.timestamp).toISOString(), title: full(hit.timestamp) }, brief(hit.timestamp))),
			h("span.line", h("span.preview", { dir: "auto" }, hit.direction === "outgoing" ? `${t("you")}: ` : null, ...marked(hit.snippet, hit.ranges))),
		),
	);
}

// Ranges count characters as Unicode does, strings here do not.
function marked(text, ranges) {
	const characters = [...text];
	const parts = [];
	let end = 0;
	// A row shows some forty characters: begin where the first of the words can be seen.
	const start = ranges.length && ranges[0][0] > 24 ? ranges[0][0] - 16 : 0;
	if (start) parts.push("…");
	end = start;
	for (const [from, to] of ranges) {
		parts.push(characters.slice(end, from).join(""), h("mark", characters.slice(from, to).join("")));
		end = to;
	}
	parts.push(characters.slice(end).join(""));
	return parts;
}
