// One message, as a list item. Nothing in it is markup of the sender's.

import { h, hue, plain } from "./element.js";
import { icon, tick } from "./icons.js";
import { clock, full, t } from "./language.js";
import { safe, said } from "./links.js";
import { phone, spelled } from "./people.js";

const OPEN = ["failed", "unknown", "queued"];

// `seat` is what the conversation knows: group, name, follows, quoted, receipts (false: the gateway sends none), on: actions.
export function bubble(message, seat) {
	const out = message.direction === "outgoing";
	const classes = [out ? "out" : "in", seat.follows && "follows", seat.found && "found"].filter(Boolean).join(" ");
	const shown = h("div.bubble", ...sender(message, seat), ...reply(message, seat), ...content(message), under(message, seat));
	return h("li", { class: classes, "data-key": seat.key }, shown, reactions(message, seat), state(message, seat));
}

function sender(message, { group, follows }) {
	if (!group || message.direction === "outgoing" || follows) return [];
	const name = senderName(message);
	return [h("bdi.sender", { hue: hue(message.sender ?? name) }, name)];
}

export function senderName(message) {
	return (message.sender_name && plain(message.sender_name)) || (message.sender ? spelled(message.sender) : t("sender_unknown"));
}

function reply(message, { quoted, group, name, on }) {
	if (!message.reply_to || message.deleted) return [];
	const known = quoted
		? [h("span.unseen", t("reply_to")), h("b", h("bdi", quoted.direction === "outgoing" ? t("you") : group ? senderName(quoted) : name)), h("span", { dir: "auto" }, summary(quoted))]
		: [h("span", t("reply_to_earlier"))];
	return [h("button.quote", { click: () => on.jump(message.reply_to) }, ...known)];
}

// A message in one line.
export function summary(message) {
	if (message.deleted) return t("deleted");
	return message.message_text || message.caption || (message.content_state === "undecrypted" ? t("undecrypted_short") : t(`type_${message.message_type}`));
}

function content(message) {
	if (message.deleted) return [gone("gone", t("deleted"))];
	if (message.content_state === "undecrypted") return [gone("clock", t("undecrypted"))];
	const parts = [];
	if (message.message_type !== "text") parts.push(media(message));
	const text = message.message_type === "text" ? message.message_text : message.caption || message.message_text;
	if (text) parts.push(said(text));
	else if (message.message_type === "text") parts.push(gone("unknown", t("no_text")));
	return parts;
}

function gone(name, text) {
	return h("p.gone", icon(name), text);
}

function media(message) {
	const type = message.message_type;
	const link = message.media_url ? safe(message.media_url) : null;
	const title = message.file_name ? plain(message.file_name) : t(`type_${type}`);
	let why;
	if (link) why = h("a", { href: link.href, target: "_blank", rel: "noopener noreferrer nofollow" }, t("open_at", { host: link.host }));
	else if (message.send_id) why = t("sent_file_not_kept");
	else if (type === "unknown" || type === "system") why = message.raw_type ? t("not_shown_type", { type: message.raw_type }) : t("not_shown");
	else if (["location", "contact", "poll"].includes(type)) why = t("missing_details");
	else why = t("missing_file");
	return h("div.media", h("span", icon(type)), h("span", h("b", h("bdi", title)), h("small", why)));
}

function under(message, { receipts }) {
	const at = message.timestamp;
	const time = h("time", { datetime: new Date(at).toISOString(), title: message.time_source === "receipt" ? t("time_of_receipt", { time: full(at) }) : full(at) }, clock(at));
	const edited = message.edited && !message.deleted ? h("span", { title: message.edited_at && full(Date.parse(message.edited_at)) }, t("edited")) : null;
	const status = message.direction === "outgoing" && message.status ? tick(message.status, statusTold(message.status, receipts)) : null;
	return h("div.under", edited, message.time_source === "receipt" ? h("span", { title: t("time_of_receipt", { time: full(at) }) }, "≈") : null, time, status);
}

// A single tick means little where the gateway never tells of more.
function statusTold(status, receipts) {
	const told = t(`status_${status}`);
	return status === "sent" && receipts === false ? `${told}. ${t("no_receipts")}` : told;
}

function reactions(message, { name }) {
	if (!message.reactions?.length || message.deleted) return null;
	const counted = new Map();
	for (const one of message.reactions) counted.set(one.emoji, [...(counted.get(one.emoji) ?? []), one.direction === "outgoing" ? t("you") : one.sender ? phone(one.sender) : name]);
	const chips = [...counted].map(([emoji, who]) => h("span", { title: who.join(", "), role: "img", "aria-label": t("reacted", { emoji, who: who.join(", ") }) }, who.length > 1 ? `${emoji} ${who.length}` : emoji));
	return h("div.reactions", ...chips);
}

function state(message, { on }) {
	if (!OPEN.includes(message.status) || message.direction !== "outgoing") return null;
	const actions = [];
	const button = (text, act) => actions.push(h("button.button.small", { click: act }, text));
	const isText = message.message_type === "text" && message.message_text;
	if (message.status === "failed" && isText) button(t("send_again"), () => on.resend(message, false));
	if (message.send_id && message.id === null && message.status !== "failed") button(t("ask_gateway"), () => on.reconcile(message));
	if (message.status === "unknown" && isText) button(t("send_again_anyway"), () => on.resend(message, true));
	if (message.local && message.status === "unknown") actions.length = 0;
	if (message.local) button(t("try_again"), () => on.retry(message));
	const reason = message.reason ? h("bdi", message.reason) : null;
	return h("div", { class: message.status === "failed" ? "state bad" : "state" }, h("span", message.local ? t("not_reached") : t(`told_${message.status}`)), reason, actions.length ? h("div.actions", ...actions) : null);
}
