// What lies over the page for a moment: menus, dialogs, a word at the bottom.

import { h } from "./element.js";
import { icon } from "./icons.js";
import { t } from "./language.js";

let count = 0;

// A button and its menu. Items: {text, icon, act | href, download}, null (a line), or an element.
export function menu(label, items) {
	const list = h("div.menu", { popover: "auto", id: `menu${++count}`, click: (event) => event.target.closest("button, a") && list.hidePopover(), keydown: move, toggle: opened });
	const button = h("button.quiet", { "aria-label": label, title: label, "aria-haspopup": "true", "aria-expanded": "false", popovertarget: list.id }, icon("more"));
	list.addEventListener("beforetoggle", (event) => {
		if (event.newState !== "open") return;
		const made = (typeof items === "function" ? items() : items).map((item) => {
			if (item === null) return h("hr");
			if (item instanceof Element) return item;
			const inside = [icon(item.icon), h("span", item.text)];
			return item.href ? h("a", { href: item.href, download: item.download }, ...inside) : h("button", { click: item.act }, ...inside);
		});
		list.replaceChildren(...made);
	});

	function opened(event) {
		const isOpen = event.newState === "open";
		button.ariaExpanded = String(isOpen);
		if (!isOpen) return;
		const place = button.getBoundingClientRect();
		list.style.top = `${Math.min(place.bottom + 4, innerHeight - list.offsetHeight - 8)}px`;
		list.style.left = `${Math.max(8, Math.min(place.right - list.offsetWidth, innerWidth - list.offsetWidth - 8))}px`;
		list.querySelector("button, a, select")?.focus();
	}

	function move(event) {
		const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
		if (!step || event.target.tagName === "SELECT") return;
		event.preventDefault();
		const all = [...list.querySelectorAll("button, a, select")];
		all[(all.indexOf(document.activeElement) + step + all.length) % all.length].focus();
	}
	return [button, list];
}

// A dialog; resolves with the form's data, or null when it was closed without.
export function ask(title, { body, confirm, danger }) {
	return new Promise((resolve) => {
		const form = h("form", { method: "dialog" }, ...body, h("div.actions", h("button.button", { click: () => dialog.close() }, confirm ? t("cancel") : t("close")), confirm ? h("button", { class: danger ? "button bad" : "button main", type: "submit" }, confirm) : null));
		let data = null;
		form.addEventListener("submit", () => {
			data = new FormData(form);
		});
		const heading = h("h2", { id: `dialog${++count}` }, title);
		const dialog = h("dialog", { "aria-labelledby": heading.id, close: () => (dialog.remove(), resolve(data)), click: (event) => event.target === dialog && dialog.close() }, heading, form);
		document.body.append(dialog);
		dialog.showModal();
	});
}

let shown = null;

export function toast(text) {
	shown?.remove();
	shown = h("div.toast", { role: "status" }, text);
	document.body.append(shown);
	const mine = shown;
	setTimeout(() => mine.remove(), 5000);
}
