// Draws icons as single lines, and builds buttons and ticks from them.

import { drawing, h } from "./element.js";

const PATHS = {
	search: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM16.2 16.2 20.5 20.5",
	more: "M12 4.5a.8.8 0 1 0 0 1.6.8.8 0 0 0 0-1.6zM12 11.2a.8.8 0 1 0 0 1.6.8.8 0 0 0 0-1.6zM12 17.9a.8.8 0 1 0 0 1.6.8.8 0 0 0 0-1.6z",
	back: "M14.5 5.5 8 12l6.5 6.5",
	up: "M5.5 15 12 8.5 18.5 15",
	down: "M5.5 9 12 15.5 18.5 9",
	close: "M6 6l12 12M18 6 6 18",
	clock: "M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17zM12 7.5V12l3 2",
	calendar: "M4.5 6.5h15v13h-15zM4.5 10.5h15M8.5 4v4M15.5 4v4",
	attach: "M19 11.5l-7.4 7.4a4.4 4.4 0 0 1-6.2-6.2l7.7-7.7a3 3 0 0 1 4.2 4.2l-7.6 7.6a1.5 1.5 0 0 1-2.1-2.1l6.9-6.9",
	send: "M5 12h13M12.5 6 18.5 12l-6 6",
	save: "M12 4v11M7.5 11l4.5 4.5 4.5-4.5M5 19.5h14",
	copy: "M9 9h10v11H9zM5 15V4h10",
	link: "M10 14a4 4 0 0 0 6 .5l3-3a4 4 0 0 0-5.7-5.7l-1 1M14 10a4 4 0 0 0-6-.5l-3 3a4 4 0 0 0 5.7 5.7l1-1",
	star: "M12 4l2.4 5.2 5.6.6-4.2 3.8 1.2 5.6-5-2.9-5 2.9 1.2-5.6L4 9.8l5.6-.6z",
	bell: "M6.5 16.5h11c-1-1.2-1.3-2.5-1.3-5a4.2 4.2 0 0 0-8.4 0c0 2.5-.3 3.8-1.3 5zM10.5 19.5h3",
	dot: "M12 7a5 5 0 1 0 0 10 5 5 0 0 0 0-10z",
	chart: "M4.5 19.5h15M7 16v-4M12 16V6M17 16v-7",
	chat: "M5 7.5A2.5 2.5 0 0 1 7.5 5h9A2.5 2.5 0 0 1 19 7.5v6a2.5 2.5 0 0 1-2.5 2.5H11l-4.5 3.5V16A2.4 2.4 0 0 1 5 13.6z",
	group: "M9 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM3.5 19c0-3 2.4-5 5.5-5s5.5 2 5.5 5M16 11.5a2.5 2.5 0 1 0-1-4.8M17 14.3c2.2.4 3.7 2.1 3.7 4.7",
	image: "M4.5 5.5h15v13h-15zM8.5 10.5v.01M5 17l4.5-4.5 3 3 3-3 4 4",
	video: "M4 7h11v10H4zM15 11l5-3v8l-5-3",
	audio: "M12 4v10a2 2 0 0 0 0 0M9 7v5a3 3 0 0 0 6 0V7a3 3 0 0 0-6 0zM6 12a6 6 0 0 0 12 0M12 18v2.5",
	document: "M7 3.5h7l4 4v13H7zM14 3.5v4h4M10 12h5M10 15.5h5",
	location: "M12 21s-6.5-5.6-6.5-10.5a6.5 6.5 0 0 1 13 0C18.5 15.4 12 21 12 21zM12 8.5a2 2 0 1 0 0 4 2 2 0 0 0 0-4z",
	contact: "M12 12a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM5 20c0-3.5 3-5.5 7-5.5s7 2 7 5.5",
	unknown: "M9.5 9.5a2.5 2.5 0 1 1 3.5 2.3c-.7.3-1 .8-1 1.7M12 17v.01M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17z",
	check: "M5 12.5l4.5 4.5L19 7.5",
	pencil: "M5 19l.8-3.6L16 5.2a1.9 1.9 0 0 1 2.8 2.8L8.6 18.2zM14 7.2l2.8 2.8",
	sticker: "M5.5 4.5h13v9l-5 6h-8zM18.5 13.5h-5v6",
	system: "M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17zM12 11v5M12 8v.01",
	warn: "M12 4 3.5 19h17zM12 10v4M12 16.7v.01",
};

export function icon(name, label) {
	const attributes = label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" };
	return drawing("svg", { class: "icon", viewBox: "0 0 24 24", ...attributes }, drawing("path", { d: PATHS[name] ?? PATHS.unknown }));
}

// Returns a button that contains only an icon.
export function tool(name, label, more = {}) {
	return h("button.quiet", { "aria-label": label, title: label, ...more }, icon(name));
}

const TICKS = {
	pending: "M9 3.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11zM9 6v3.2l2 1.2",
	sent: "M4 9.5l3.5 3.5L14 6",
	delivered: "M1.5 9.5 5 13l6.5-7M8.3 12l1 1L16 6",
	failed: "M9 2.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM9 6v3.5M9 12v.01",
	unknown: "M6.8 7a2.3 2.3 0 1 1 3.2 2.1c-.7.3-1 .7-1 1.5M9 13.5v.01",
};
TICKS.queued = TICKS.pending;
TICKS.read = TICKS.played = TICKS.delivered;

export function tick(status, label) {
	return drawing("svg", { class: `tick ${{ failed: "bad", played: "read" }[status] ?? status}`, viewBox: "0 0 18 18", role: "img", "aria-label": label }, drawing("title", {}, label), drawing("path", { d: TICKS[status] ?? TICKS.sent }));
}
