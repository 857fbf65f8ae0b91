// What a search for messages may be limited to: a type, and days of the reader's calendar.

import { h } from "./element.js";
import { t } from "./language.js";

const TYPES = ["text", "image", "video", "audio", "document", "sticker", "location", "contact", "poll", "order", "system"];

export class SearchFilters {
	constructor(onChange) {
		this.type = h("select.chip", { "aria-label": t("message_type"), change: onChange }, h("option", { value: "" }, t("any_type")), TYPES.map((type) => h("option", { value: type }, t(`type_${type}`))));
		this.from = day("from_day", onChange);
		this.until = day("until_day", onChange);
		this.element = h("div.chips.filters", { role: "group", "aria-label": t("search_filters") }, this.type, h("label.small", t("from_day"), this.from), h("label.small", t("until_day"), this.until));
	}

	// Those that are chosen, as parameters of the API: until the end of the last day.
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

// The midnight with which a day begins here, or the one some days later; undefined: no day was chosen.
export function midnight(value, later) {
	if (!value) return undefined;
	const [year, month, date] = value.split("-").map(Number);
	return new Date(year, month - 1, date + later).getTime();
}
