// Marks the words of a search in the messages on the page as CSS highlights, which change no element.

const NAME = "matches";
const TEXTS = ".said, .media bdi";

// Ignores case, and separators between the digits of a number.
export function pattern(words) {
	const spellings = [...new Set(words)].filter(Boolean).sort((a, b) => b.length - a.length).map(spell);
	return spellings.length ? new RegExp(spellings.join("|"), "giu") : null;
}

function spell(word) {
	const characters = [...word].map((one) => one.replace(/[.*+?^${}()|[\]\\/]/, "\\$&"));
	return characters.join(/^\d+$/.test(word) ? "[\\s./()\\-]*" : "");
}

export function show(root, wanted) {
	if (!globalThis.Highlight) return;
	const ranges = wanted ? [...root.querySelectorAll(TEXTS)].flatMap((element) => rangesIn(element, wanted)) : [];
	if (ranges.length) CSS.highlights.set(NAME, new Highlight(...ranges));
	else CSS.highlights.delete(NAME);
}

// A match may begin in one text node and end in another.
function rangesIn(element, wanted) {
	const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
	const nodes = [];
	let text = "";
	while (walker.nextNode()) {
		nodes.push([walker.currentNode, text.length]);
		text += walker.currentNode.data;
	}
	const matches = [...text.matchAll(wanted)].filter(([found]) => found);
	if (matches.length && element.matches(".folded")) element.nextSibling.click();
	return matches.map(({ 0: found, index }) => {
		const range = new Range();
		range.setStart(...placeOf(nodes, index));
		range.setEnd(...placeOf(nodes, index + found.length));
		return range;
	});
}

function placeOf(nodes, offset) {
	const [node, start] = nodes.findLast(([, begins]) => begins < offset) ?? nodes[0];
	return [node, offset - start];
}
