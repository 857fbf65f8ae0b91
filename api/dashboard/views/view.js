// Contains the common parts of the other views: a page with a head, sections and tables.

import { h } from "../page/element.js";
import { icon } from "../page/icons.js";
import { moment, span, t, time } from "../page/language.js";
import { page } from "../page/title.js";

export class View {
	ended = false;
	timer = null;
	problem = h("p.wrong", { role: "alert", hidden: true });

	frame(title, ...inside) {
		page(t(title));
		const head = h("header.bar", h("a.quiet.back", { href: "#/", "aria-label": t("back_to_chats") }, icon("back")), h("h2", t(title)));
		this.element = h("div.operations", { tabindex: -1 }, h("div", head, this.problem, inside));
	}

	close() {
		clearTimeout(this.timer);
		this.ended = true;
	}

	// Shows why the view may be outdated.
	fail(error) {
		this.problem.hidden = !error;
		this.problem.textContent = error?.message;
	}

	focus() {
		this.element.focus({ preventScroll: true });
	}
}

// Shows the time of an ISO text, or that there is none.
export const at = (text, shown = moment) => (text ? time(text, shown(text)) : h("span.muted", t("never")));

export const ago = (text) => t("ago", { span: span(Date.now() - Date.parse(text)) });

export const card = (title, ...inside) => h("section.card", h("h3", t(title)), inside);

export const figure = (name, value, about, look = "") => h("div", { class: `card ${look}` }, h("dt.small.muted", t(name)), h("dd", value, h("small", about)));

export const heads = (names) => h("thead", h("tr", names.map((name) => h("th", { scope: "col" }, t(name)))));

// Wraps a table that may be wider than the screen.
export const wide = (label, ...inside) => h("div.wide", { tabindex: 0, role: "region", "aria-label": t(label) }, inside);

// Shows the legend of a chart of incoming and outgoing messages.
export const legend = ([incoming, outgoing]) => h("p.legend.muted", h("span.in", incoming), h("span.out", outgoing));
