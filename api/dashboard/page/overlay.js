// Shows temporary elements above the page: menus, and a short message at the bottom.

import { announce, h } from "./element.js";
import { icon, tool } from "./icons.js";
import { t } from "./language.js";

let count = 0;

// Returns a button, with further attributes, and its menu. items() returns elements, or [text, icon, action or link].
export function menu(name, label, items, more = {}) {
	const fill = ({ newState }) => newState === "open" && list.replaceChildren(...items().map(made));
	const list = h("div.menu", { popover: "auto", id: `menu${++count}`, click: (event) => event.target.closest("button, a") && list.hidePopover(), beforetoggle: fill });
	return [tool(name, label, { popovertarget: list.id, ...more }), list];
}

function made(item) {
	if (item instanceof Element) return item;
	const [text, name, act] = item;
	return typeof act === "string" ? h("a", { href: act, download: true }, icon(name), text) : h("button", { click: act }, icon(name), text);
}

// Opens a dialog.
export function dialog(title, ...inside) {
	const made = h("dialog.card", { "aria-label": title, close: () => made.remove() }, h("div.sheethead", h("h2", title), tool("close", t("close"), { click: () => made.close() })), inside);
	document.body.append(made);
	made.showModal();
	return made;
}

export function closeDialog() {
	document.querySelector("dialog[open]")?.close();
}

let shown = null;

export function toast(text) {
	shown?.remove();
	shown = h("div.toast", text);
	announce(text);
	document.body.append(shown);
	setTimeout((mine) => mine.remove(), 5000, shown);
}

export function complain(error) {
	toast(error.message);
}
