// Formats a text as WhatsApp does, using text nodes only.

import { h } from "../page/element.js";
import { t } from "../page/language.js";
import { LINK, link } from "./links.js";

const BIG = /^(?:\p{RI}{2}|\p{Emoji_Presentation}|\p{Extended_Pictographic}|[\ufe0f\u200d\u{1f3fb}-\u{1f3ff}]){1,12}$/u;
const LONG = 900; // characters above which a text is folded
const TALL = 16; // lines above which a text is folded
const WORD = "[\\p{L}\\p{M}\\p{N}]";
// Matches a link, `code`, or *words*, if the marks do not touch another word.
const INLINE = new RegExp(`(${LINK})|\`([^\`\\n]+)\`|(?<!${WORD})([*_~])(?!\\3|\\s)(.{0,1000}?\\S)\\3(?!${WORD})`, "giu");
const TAGS = { "*": "strong", _: "em", "~": "s" };
const BLOCKS = [
	[/^> ?(.*)$/, "blockquote"],
	[/^[*-] (.+)$/, "ul"],
	[/^(\d{1,3})[.)] (.+)$/, "ol"],
];

// Returns an array of elements.
export function said(text) {
	const words = h("div", { class: isBig(text) ? "said big" : "said", dir: "auto" }, pieces(text));
	const isLong = text.length > LONG || text.split("\n", TALL + 1).length > TALL;
	if (!isLong) return [words];
	const unfold = () => {
		words.classList.remove("folded");
		more.remove();
	};
	const more = h("button.more", { click: unfold }, t("read_more"));
	words.classList.add("folded");
	words.addEventListener("focusin", unfold); // The focus moved to a hidden link.
	return [words, more];
}

// Formats the text between ```fences``` line by line.
function pieces(text) {
	return text.split(/```([^]+?)```/).flatMap((part, i) => (i % 2 ? h("code", part.trim() === "" ? part : part.replace(/^\n|\n$/g, "")) : lines(part)));
}

function lines(text) {
	const made = [];
	let open = null; // the block to which the next line may belong
	for (const [i, line] of text.split("\n").entries()) {
		const [tag, match] = block(line);
		if (!tag) {
			if (i && !open) made.push("\n");
			made.push(...inline(line));
			open = null;
		} else if (tag === "blockquote") {
			if (open?.localName === tag) open.append("\n", ...inline(match[1]));
			else made.push((open = h(tag, inline(match[1]))));
		} else {
			if (open?.localName !== tag) made.push((open = h(tag, tag === "ol" && { start: match[1] })));
			open.append(h("li", inline(match.at(-1))));
		}
	}
	return made;
}

function block(line) {
	for (const [pattern, tag] of BLOCKS) {
		const match = pattern.exec(line);
		if (match) return [tag, match];
	}
	return [];
}

function inline(text) {
	const made = [];
	let end = 0;
	for (const match of text.matchAll(INLINE)) {
		const [all, address, code, mark, words] = match;
		let length = all.length;
		let node;
		if (address) {
			const [written, anchor] = link(address);
			if (!anchor) continue;
			[node, length] = [anchor, written.length];
		} else node = code ? h("code", code) : h(TAGS[mark], inline(words));
		made.push(text.slice(end, match.index), node);
		end = match.index + length;
	}
	made.push(text.slice(end));
	return made.filter((one) => one !== "");
}

function isBig(text) {
	return text.length <= 24 && BIG.test(text) && [...new Intl.Segmenter().segment(text)].length <= 3;
}
