// Offers the filters of a search for messages: a type, and days in the reader's calendar.

import { h } from "../page/element.js";
import { t } from "../page/language.js";
import { texts } from "../texts/texts.js";

// The labels of the types, in the order of the texts, without that of messages whose type is not known.
const TYPES = Object.keys(texts).filter((key) => key.startsWith("type_") && key !== "type_unknown");

export class SearchFilters {
	constructor(onChange) {
		this.type = h("select.chip", { "aria-label": t("message_type"), change: onChange }, h("option", { value: "" }, t("any_type")), TYPES.map((key) => h("option", { value: key.slice(5) }, t(key))));
		this.from = day("from_day", onChange);
		this.until = day("until_day", onChange);
		this.element = h("div.chips.filters", { role: "group", "aria-label": t("search_filters") }, this.type, h("label.small", t("from_day"), this.from), h("label.small", t("until_day"), this.until));
	}

	// Returns the chosen filters as parameters of the API. The period includes the last day.
	get value() {
		const all = { type: this.type.value, since: midnight(this.from.value, 0), until: midnight(this.until.value, 1) };
		return Object.fromEntries(Object.entries(all).filter(([, value]) => value));
	}

	clear() {
		for (const field of [this.type, this.from, this.until]) field.value = "";
	}
}

export const searchField = (label, input, keydown) => h("input.field", { type: "search", placeholder: t(label), "aria-label": t(label), autocomplete: "off", spellcheck: "false", maxlength: 200, input, keydown });

export function day(name, onChange) {
	return h("input.chip", { type: "date", "aria-label": t(name), change: onChange });
}

// Returns the midnight at which a day begins here, plus a number of days, or undefined if no day was chosen.
export function midnight(value, later) {
	if (!value) return undefined;
	const [year, month, date] = value.split("-").map(Number);
	return new Date(year, month - 1, date + later).getTime();
}
