// Draws a bar chart with two stacked counts in each column. Its label and a table contain the same data as text.

import { drawing } from "../page/element.js";

const [WIDTH, BOTTOM] = [480, 26];

// columns: [lower, upper]. ticks: [column, text]. spelled(value): the label on the axis.
export function chart(columns, ticks, label, spelled, height = 340) {
	const most = Math.max(4, ...columns.map(([lower, upper]) => lower + upper));
	const step = 10 ** Math.floor(Math.log10(most / 2));
	const top = Math.ceil(most / (2 * step)) * 2 * step;
	const scale = [0, top / 2, top].map((value) => [value, spelled(value)]);
	const left = Math.max(...scale.map(([, text]) => text.length)) * 9 + 12;
	const y = (value) => 6 + (height - BOTTOM - 6) * (1 - value / top);
	const width = (WIDTH - left) / columns.length;
	const lines = scale.flatMap(([value, text]) => [drawing("line", { x1: left, x2: WIDTH, y1: y(value), y2: y(value) }), drawing("text", { x: left - 6, y: y(value) + 5, "text-anchor": "end" }, text)]);
	const bar = (kind, index, from, value) => (value ? drawing("rect", { class: kind, x: left + index * width + 1, width: width - 2, y: y(from + value), height: y(from) - y(from + value), rx: 1 }) : null);
	const bars = columns.flatMap(([lower, upper], index) => [bar("in", index, 0, lower), bar("out", index, lower, upper)]);
	const below = ticks.map(([index, text]) => drawing("text", { x: Math.min(left + index * width, WIDTH - text.length * 9), y: height - 4 }, text));
	return drawing("svg", { class: "chart", viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": label }, lines, bars, below);
}
