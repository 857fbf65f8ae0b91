// Messages per minute of an hour, as bars: incoming below, outgoing above.

import { drawing, h } from "./element.js";
import { clock, number, t } from "./language.js";

const [WIDTH, HEIGHT, LEFT, BOTTOM] = [480, 340, 40, 26];

export function chart(counted, since) {
	const minutes = Array.from({ length: 60 }, () => [0, 0]);
	for (const one of counted) {
		const minute = minutes[Math.floor((Date.parse(one.begins) - since) / 60_000)];
		if (minute) [minute[0], minute[1]] = [minute[0] + one.incoming, minute[1] + one.outgoing];
	}
	const most = Math.max(4, ...minutes.map(([incoming, outgoing]) => incoming + outgoing));
	const step = 10 ** Math.floor(Math.log10(most / 2));
	const top = Math.ceil(most / (2 * step)) * 2 * step;
	const y = (value) => 6 + (HEIGHT - BOTTOM - 6) * (1 - value / top);
	const width = (WIDTH - LEFT) / 60;
	const [incoming, outgoing] = [0, 1].map((side) => minutes.reduce((sum, minute) => sum + minute[side], 0));
	const lines = [0, top / 2, top].flatMap((value) => [drawing("line", { x1: LEFT, x2: WIDTH, y1: y(value), y2: y(value) }), drawing("text", { x: LEFT - 6, y: y(value) + 5, "text-anchor": "end" }, number(value))]);
	const bar = (kind, index, from, value) => (value ? drawing("rect", { class: kind, x: LEFT + index * width + 1, width: width - 2, y: y(from + value), height: y(from) - y(from + value), rx: 1 }) : null);
	const bars = minutes.flatMap(([one, other], index) => [bar("in", index, 0, one), bar("out", index, one, other)]);
	const times = [0, 15, 30, 45].map((minute) => drawing("text", { x: LEFT + minute * width, y: HEIGHT - 4 }, clock(since + minute * 60_000)));
	const legend = [t("incoming", { n: incoming }), t("outgoing", { n: outgoing })];
	const svg = drawing("svg", { class: "chart", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": legend.join(", ") }, lines, bars, times);
	return [svg, h("p.legend.muted", h("span.in", legend[0]), h("span.out", legend[1]))];
}
