// Finds the target of a jump to a date: that day, or the nearest day with messages.

import { day, dayOf, t } from "../page/language.js";
import { toast } from "../page/overlay.js";

const DAY = 86_400_000; // ms

// at: the midnight at which the day begins
export function onDay(messages, at) {
	const next = messages.find((one) => one.timestamp >= at.getTime());
	if (next && dayOf(next.timestamp) === dayOf(at)) return next;
	const last = messages.findLast((one) => one.timestamp < at.getTime());
	const isNextNearer = !last || (next && next.timestamp - at - DAY < at - last.timestamp);
	const nearest = isNextNearer ? next : last;
	if (nearest) toast(t("empty_day", { day: day(at), nearest: day(nearest.timestamp) }));
	return nearest;
}
