// Finds the periods in which the gateway was unavailable. In these, there may be messages that were not reported.

import { h } from "../page/element.js";
import { icon } from "../page/icons.js";
import { clock, dayOf, moment, t } from "../page/language.js";

// Returns {from, until (null if not over), reason}, oldest first. An outage begins after the last time it was connected.
export function windows(outages = []) {
	return outages.map((one) => ({ from: Date.parse(one.connected_at ?? one.first_at), until: one.ended_at && Date.parse(one.ended_at), reason: one.reason }));
}

// Returns those that begin between one message and the next.
export function between(outages, after, upTo) {
	return [...outages].filter((one) => one.from > after && one.from <= upTo);
}

export function outageItem({ from, until, reason }) {
	const shown = until && dayOf(from) === dayOf(until) ? clock : moment;
	return h("li.outage.small", h("span", { title: reason }, icon("warn"), " ", t("offline_from_to", { from: shown(from), until: until ? shown(until) : t("now") })));
}
