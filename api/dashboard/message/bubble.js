// Builds a message as a list item. Content from the sender is never interpreted as markup.

import { h, hue, plain } from "../page/element.js";
import { icon, tick } from "../page/icons.js";
import { clock, full, moment, number, t, time } from "../page/language.js";
import { menu } from "../page/overlay.js";
import { spelled } from "../page/people.js";
import { said } from "./formatting.js";
import { kindOf } from "./kinds.js";
import { safe } from "./links.js";

const OPEN = ["failed", "unknown", "queued"];
const ARRIVED = ["sent", "delivered", "read", "played"];

// `seat` is the context: group, name, follows, quoted, receipts (false if the gateway sends none), missed (names of sessions), on (actions).
export function bubble(message, seat) {
	const out = message.direction === "outgoing";
	const classes = [out ? "out" : "in", seat.follows && "follows", seat.found && "found"].filter(Boolean).join(" ");
	const shown = h("div.bubble", sender(message, seat), forwarded(message), reply(message, seat), versions(message), content(message), under(message, seat), menu("down", t("message_menu"), () => seat.on.actions(message), { tabindex: -1 }));
	return h("li", { class: classes, "data-key": seat.key }, shown, reactions(message, seat), state(message, seat));
}

// Only a group shows its senders. Otherwise the side of the bubble does, which a screen reader does not read.
function sender(message, { group, follows, name: chat }) {
	if (follows) return null;
	const isOut = message.direction === "outgoing";
	if (isOut || !group) return h("span.unseen", isOut ? t("you") : chat);
	const name = senderName(message);
	return h("bdi.sender.small", { hue: hue(message.sender ?? name) }, name);
}

function senderName(message) {
	return (message.sender_name && plain(message.sender_name)) || (message.sender ? spelled(message.sender) : t("sender_unknown"));
}

function forwarded(message) {
	return message.forwarded && !message.deleted && h("p.gone.forwarded.small", t(message.forwarded === "many_times" ? "many_times" : "forwarded"));
}

function reply(message, { quoted, group, name, on }) {
	if (!message.reply_to || message.deleted) return null;
	const known = quoted && [h("span.unseen", t("reply_to")), h("b", h("bdi", quoted.direction === "outgoing" ? t("you") : group ? senderName(quoted) : name)), h("span", { dir: "auto" }, summary(quoted))];
	return h("button.quote.small", { click: () => on.jump(message.reply_to) }, known ?? t("reply_to_earlier"));
}

// Shows the earlier texts of an edited message when the reader asks for them.
function versions({ versions: texts }) {
	if (!texts) return null;
	const earlier = texts.slice(0, -1).map((one) => h("li", h("span", { dir: "auto" }, one.text ?? t("no_text")), h("small", moment(one.written_at))));
	return h("ol.versions.small", { "aria-label": t("earlier_texts") }, earlier.length ? earlier : h("li", t("none")));
}

// Returns a message as one line.
export function summary(message) {
	if (message.deleted) return t("deleted");
	return message.message_text || message.caption || (message.content_state === "undecrypted" ? t("undecrypted") : kindOf(message));
}

function content(message) {
	if (message.deleted) return gone("close", t("deleted"));
	if (message.content_state === "undecrypted") return gone("clock", t("undecrypted"));
	const isText = message.message_type === "text";
	const text = isText ? message.message_text : message.caption || message.message_text;
	return [!isText && media(message), text ? said(text) : isText && gone("unknown", kindOf(message))];
}

function gone(name, text) {
	return h("p.gone", icon(name), " ", text);
}

function length(seconds) {
	return seconds === null || seconds === undefined ? "" : ` ${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

// Returns one line: the kind, the name, and where the content is available or why it is not.
function media(message) {
	const type = message.message_type;
	const link = message.media_url ? safe(message.media_url) : null;
	const title = message.file_name ? plain(message.file_name) : kindOf(message);
	const words = message.caption || message.message_text;
	let why;
	if (link) why = h("a", { href: link.href, target: "_blank", rel: "noopener noreferrer nofollow" }, t("open_at", { host: link.host }));
	else if (message.send_id ? ARRIVED.includes(message.status) : message.content_state !== "complete" || (!words && type !== "system")) why = t("not_here");
	return h("p.media", icon(type), h("bdi.cut", title), length(message.media_seconds), why && h("span", "\u00a0· ", why));
}

function under(message, { receipts, missed, on }) {
	const at = message.timestamp;
	const unsure = message.time_source === "receipt" && t("time_of_receipt", { time: full(at) });
	const edited = message.edited && !message.deleted && h("button", { title: message.edited_at && full(message.edited_at), "aria-expanded": String(Boolean(message.versions)), click: () => on.versions(message) }, t("edited"));
	const status = message.direction === "outgoing" && message.status && tick(message.status, statusLabel(message.status, receipts));
	return h("div.under", message.starred && icon("star", t("filter_starred")), missed?.length > 0 && delivered(message.told_by.length, missed), edited, unsure && h("span", { title: unsure }, "≈"), time(at, clock(at), unsure || full(at)), status);
}

// Marks that some of several sessions on one number did not deliver the message.
function delivered(some, missed) {
	return h("span.partly", { title: t("missed_by", { names: missed.join(", ") }) }, t("delivered_by", { some, all: some + missed.length }));
}

// A single tick means little if the gateway never reports more.
function statusLabel(status, receipts) {
	const label = t(`status_${status}`);
	return status === "sent" && receipts === false ? `${label}. ${t("no_receipts")}` : label;
}

function reactions(message, { name }) {
	if (!message.reactions?.length || message.deleted) return null;
	const counted = new Map();
	for (const one of message.reactions) counted.set(one.emoji, [...(counted.get(one.emoji) ?? []), one.direction === "outgoing" ? t("you") : one.sender ? spelled(one.sender) : name]);
	const chips = [...counted].map(([emoji, who]) => h("span", { title: who.join(", "), role: "img", "aria-label": t("reacted", { emoji, who: who.join(", ") }) }, emoji, who.length > 1 && ` ${number(who.length)}`));
	return h("div.reactions.small", chips);
}

// twin: the time at which the same text was sent and did arrive
function state(message, { on, dismissed, twin }) {
	if (!OPEN.includes(message.status) || message.direction !== "outgoing" || dismissed) return null;
	const { status, local } = message;
	const button = (text, act) => h("button.button.small", { click: () => on[act](message) }, t(text));
	const isText = message.message_type === "text" && message.message_text;
	const actions = local
		? [button("try_again", "retry"), button("discard", "discard")]
		: [
				status === "failed" && isText && button("send_again", "resend"),
				status !== "failed" && message.send_id && message.id === null && button("ask_gateway", "reconcile"),
				status === "unknown" && isText && h("details", h("summary", t("send_again_anyway")), h("p", t("may_come_twice")), button("send_again", "resend")),
				status !== "queued" && message.send_id && button("dismiss", "dismiss"),
			];
	return h("div", { class: `state small ${status === "failed" ? "bad" : ""}` }, t(local && status === "unknown" ? "not_reached" : `outcome_${status}`), twin && h("b", t("probably_arrived", { time: clock(twin) })), reason(message), h("div", actions));
}

// Our own text is translated. The gateway's text is shown unchanged.
function reason({ reason: text, local }) {
	if (!text) return null;
	return local ? h("bdi", text) : h("details", h("summary", t("gateway_reason")), h("bdi", text));
}
