// Returns names of chats and people, and a replacement for their pictures.

import { h, hue, plain } from "./element.js";
import { icon } from "./icons.js";
import { t } from "./language.js";

export function phone(digits) {
	if (!/^[0-9]{5,20}$/.test(digits)) return digits;
	const indian = /^91([0-9]{5})([0-9]{5})$/.exec(digits);
	return indian ? `+91 ${indian[1]} ${indian[2]}` : `+${digits.slice(0, -7)} ${digits.slice(-7, -4)} ${digits.slice(-4)}`.replace("+ ", "+");
}

// Returns the digits of a typed number with its country code, or "" for anything else.
export function typedNumber(text) {
	return /^(?:\+|00)[0-9 ().-]{8,}$/.test(text) ? text.replace(/^00|[^0-9]/g, "") : "";
}

// Formats an address as people write it.
export function spelled(address, kind) {
	if (!address.includes("@")) return phone(address);
	if (address === "status@broadcast") return t("status_updates");
	const user = address.split("@")[0];
	if (kind === "lid" || address.endsWith("@lid")) return t("private_identity", { id: user.slice(-4) });
	if (address.endsWith("@g.us")) return t("group_without_name", { id: user.slice(-4) });
	return t(address.endsWith("@newsletter") ? "channel_without_name" : "chat_without_name", { id: user.slice(-4) });
}

export function nameOf(chat) {
	return (chat.name && plain(chat.name).trim()) || spelled(chat.address, chat.kind);
}

export function avatar(chat) {
	const drawn = ["group", "newsletter", "broadcast"].includes(chat.kind);
	const letters = [...(chat.name ?? "").matchAll(/(?:^|\s)(\p{L}\p{M}*)/gu)].map((match) => match[1]);
	const shown = drawn ? icon("group") : letters.length ? letters.slice(0, 2).join("").toLocaleUpperCase() : icon("contact");
	return h("span.avatar", { hue: hue(chat.address), "aria-hidden": "true" }, shown);
}

// Returns the name of a person or program that did something. The installation's token has no person's name.
export const callerName = (name) => (name === "bootstrap" ? t("owner") : name);

// The colours available for sessions, as hues.
export const HUES = { red: 25, orange: 55, yellow: 95, green: 145, teal: 190, blue: 255, purple: 305, pink: 350 };

export function sessionName(sessions, id) {
	const found = sessions.find((one) => one.session_id === id);
	if (found?.display_name) return plain(found.display_name);
	const number = found?.phone ?? found?.account;
	if (number) return phone(number);
	// Sessions of SAK have hexadecimal ids. Those of other gateways have words.
	if (id.includes(":")) return id;
	return found ? plain(found.name ?? "") || t("session_number", { n: found.number }) : t("session");
}

// Returns the name, distinct from the other sessions of its account.
export function sourceName(sessions, id) {
	const found = sessions.find((one) => one.session_id === id);
	const name = sessionName(sessions, id);
	if (!found?.account || sessions.filter((one) => one.account === found.account).length < 2) return name;
	return `${name} (${plain(found.name ?? "") || (id.includes(":") ? id : t("session_number", { n: found.number }))})`;
}

export function sessionHue({ colour, account, session_id: id }) {
	return HUES[colour] ?? hue(account ?? id);
}

// Returns the colour and the name of a session, or briefly the last digits of its number.
export function sessionMark(sessions, id, isBrief = false) {
	const found = sessions.find((one) => one.session_id === id) ?? { session_id: id };
	const name = sessionName(sessions, id);
	return [h("i.swatch", { hue: sessionHue(found), "aria-hidden": "true" }), h("bdi", isBrief ? name.replace(/^\+[0-9 ]+(?=[0-9]{4}$)/, "…") : name)];
}

// Returns one session per phone number, because several gateways on one number share a history.
export function accounts(sessions) {
	const seen = new Map(sessions.map((one) => [one.account ?? one.session_id, one]).reverse());
	return [...seen.values()].reverse();
}

// Returns whether the gateway of a session has ever reported delivery, or null if that is not known.
export function receipts(sessions, id) {
	const session = sessions.find((one) => one.session_id === id);
	return session ? !session.never_seen.includes("status.change") || Boolean(session.events["message.status"]) : null;
}
