// Shows the filters of the list of chats.

import { h } from "../page/element.js";
import { icon } from "../page/icons.js";
import { number, range, t } from "../page/language.js";

export const FILTERS = { all: {}, unread: { unread: true }, waiting: { waiting: true, sort: "waiting_since" }, groups: { kind: "group" }, starred: {} };

export function chips(pressed, counts, press) {
	return Object.entries(FILTERS).map(([name, filter]) => h("button.chip", { "data-filter": name, "aria-pressed": String(name === pressed), click: () => press(name, filter) }, t(`filter_${name}`), " ", count(counts?.[name])));
}

export function count(value) {
	return h("span.count", !value ? "" : value >= 1000 ? "999+" : number(value));
}

const COUNTED = 1000; // chats up to which the API counts

export const upTo = (count) => (count >= COUNTED ? `${number(COUNTED)}+` : number(count));

// options: [value, label]
export function choice(label, all, options, chosen, pick) {
	return h("select.chip", { "aria-label": label, change: ({ target }) => pick(target.value || undefined) }, h("option", { value: "" }, all), options.map(([value, name]) => h("option", { value, selected: value === chosen }, name)));
}

// Returns a chip for the filter in the page's address. A click on the chip leads back to all chats.
export function limits({ since, until, direction, answered }, leave) {
	if (!since && !direction && !answered) return [];
	const kind = t(answered ? "answered" : direction ? { incoming: "messages_in", outgoing: "messages_out" }[direction] : "messages");
	const text = [kind, since && until && range(Number(since), Number(until))].filter(Boolean).join(" · ");
	return [h("button.chip.limit", { "aria-pressed": "true", title: t("remove_filter"), click: leave }, h("span", text), icon("close", t("remove_filter")))];
}
