// Finds links in a text: web and mail addresses and phone numbers, if they are safe to follow.

import { h } from "../page/element.js";

// Excludes direction marks, because they would display another address than the one that opens.
const REST = "[^\\s<>\"'`\\u200b-\\u200f\\u2028-\\u202e\\u2066-\\u2069]+";
export const LINK = `(?<![\\p{L}\\p{N}_@.])(?:(?:https?://|www\\.|mailto:|tel:)${REST}|[\\w.+-]{1,64}@[\\w-]{1,63}(?:\\.[\\w-]{1,63}){1,6}|\\+[0-9][0-9 ().-]{6,20}[0-9](?![0-9]))`;
const TAIL = /(?<![.,;:!?…。،؟)\]}'"*_~])[.,;:!?…。،؟)\]}'"*_~]+$/u; // linear, because a match begins only at the first of these characters
const DIALLED = /^tel:\+?[0-9().-]{3,24}$/i; // excludes codes such as *#06#

// Returns [the part of the match that is the address, its element or null].
export function link(match) {
	const written = match.replace(TAIL, (tail) => (tail.startsWith(")") && match.includes("(") ? ")" : ""));
	const url = target(written);
	if (!url) return [written, null];
	const isWeb = url.protocol.startsWith("http");
	const web = isWeb && { target: "_blank", rel: "noopener noreferrer nofollow", title: url.host };
	return [written, h("a", { href: url.href, dir: "ltr", ...web }, written)];
}

function target(written) {
	const [, kind = ""] = /^(https?:|www[.]|mailto:|tel:|[+])/i.exec(written) ?? [];
	if (/^http/i.test(kind)) return safe(written);
	if (/^www/i.test(kind)) return safe(`https://${written}`);
	const given = kind === "+" ? `tel:${written.replace(/[ ().]/g, "")}` : kind ? written : `mailto:${written}`;
	return (/^mailto:/i.test(given) || DIALLED.test(given)) && URL.canParse(given) ? new URL(given) : null;
}

// Accepts only web addresses, and none in which a user name imitates another address.
export function safe(text) {
	if (!URL.canParse(text)) return null;
	const url = new URL(text);
	return ["http:", "https:"].includes(url.protocol) && !url.username && !url.password ? url : null;
}
