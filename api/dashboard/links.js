// The text of a message, with links where it has web addresses: made of text nodes, whatever it says.

import { h } from "./element.js";

const LINK = /https?:\/\/[^\s<>"'`\u200b\u2028\u2029]+/gi;
const TAIL = /[.,;:!?…。،؟)\]}'"*_~]+$/u;
const BIG = /^(?:\p{RI}{2}|\p{Emoji_Presentation}|\p{Extended_Pictographic}|[\ufe0f\u200d\u{1f3fb}-\u{1f3ff}]){1,12}$/u;

export function said(text) {
	const parts = [];
	let end = 0;
	for (const match of text.matchAll(LINK)) {
		const written = match[0].replace(TAIL, (tail) => (tail.startsWith(")") && match[0].includes("(") ? ")" : ""));
		const link = safe(written);
		if (!link) continue;
		parts.push(text.slice(end, match.index));
		parts.push(h("a", { href: link.href, target: "_blank", rel: "noopener noreferrer nofollow", title: link.host, dir: "ltr" }, written));
		end = match.index + written.length;
	}
	parts.push(text.slice(end));
	return h("div", { class: isBig(text) ? "said big" : "said", dir: "auto" }, ...parts);
}

// Only web addresses, and none that pretends with a user name to be another one.
export function safe(text) {
	if (!URL.canParse(text)) return null;
	const link = new URL(text);
	return ["http:", "https:"].includes(link.protocol) && !link.username && !link.password ? link : null;
}

function isBig(text) {
	return text.length <= 24 && BIG.test(text) && [...new Intl.Segmenter().segment(text)].length <= 3;
}
