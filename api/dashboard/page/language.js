// Formats texts and times in the reader's language and time zone.

import { languages, texts } from "../texts/texts.js";
import { h } from "./element.js";

export { languages };
export const language = [localStorage.getItem("language"), ...navigator.languages.map((one) => one.slice(0, 2))].find((one) => one in languages) ?? "en";
const locale = navigator.languages.find((one) => one.startsWith(language)) ?? language;
const column = Object.keys(languages).indexOf(language);
const plural = new Intl.PluralRules(locale);
const numbers = new Intl.NumberFormat(locale);

// Returns the text of a key. {name} is replaced with values.name, and values.count selects from "one|other".
export function t(key, values = {}) {
	const [one, other = one] = (texts[key]?.[column] ?? key).split("|");
	const text = plural.select(values.count ?? 0) === "one" ? one : other;
	return text.replace(/\{(\w+)\}/g, (_, name) => (typeof values[name] === "number" ? number(values[name]) : (values[name] ?? "")));
}

export const number = (value) => numbers.format(value);

// at: a number in ms or the text of the API
function format(options) {
	const made = new Intl.DateTimeFormat(locale, options);
	return (at) => made.format(new Date(at));
}

export const clock = format({ timeStyle: "short" });
export const full = format({ dateStyle: "full", timeStyle: "long" });
export const longDay = format({ dateStyle: "full" });
const weekday = format({ weekday: "long" });
export const weekdayBriefly = format({ weekday: "short" });
const DATE = { weekday: "short", day: "numeric", month: "long" };
const date = format(DATE);
const dateOfYear = format({ ...DATE, year: "numeric" });
export const dayAndMonth = format({ day: "numeric", month: "numeric" });
export const dateBriefly = format({ day: "numeric", month: "numeric", year: "2-digit" });

const dates = new Intl.DateTimeFormat(locale, { dateStyle: "medium" });
const MOMENT = { dateStyle: "medium", timeStyle: "short" };
export const moment = format(MOMENT);
const moments = new Intl.DateTimeFormat(locale, MOMENT);

export const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;

// Returns the name of the reader's time zone.
export function zoneName() {
	return new Intl.DateTimeFormat(locale, { timeZoneName: "long" }).formatToParts().find((part) => part.type === "timeZoneName").value;
}

// Formats a period, as days if it consists of whole days.
export function range(from, until) {
	const isWhole = dayOf(from) === from && dayOf(until) === until;
	return isWhole ? dates.formatRange(from, until - 1) : moments.formatRange(from, until);
}

// Formats a time briefly, with the full time as its title.
export function time(at, shown, title = full(at)) {
	return h("time", { datetime: new Date(at).toISOString(), title }, shown);
}

// Returns a number that is the same for all times of one day here: its midnight.
export function dayOf(at) {
	return new Date(at).setHours(0, 0, 0, 0);
}

function daysAgo(at) {
	return Math.round((dayOf(Date.now()) - dayOf(at)) / 86_400_000);
}

export function day(at) {
	const ago = daysAgo(at);
	if (ago === 0) return t("today");
	if (ago === 1) return t("yesterday");
	if (ago > 1 && ago < 7) return weekday(at);
	return new Date(at).getFullYear() === new Date().getFullYear() ? date(at) : dateOfYear(at);
}

// Formats a time as briefly as a list requires.
export function brief(at) {
	const ago = daysAgo(at);
	if (ago <= 0) return clock(at);
	if (ago === 1) return t("yesterday");
	return ago < 7 ? weekdayBriefly(at) : dateBriefly(at);
}

// Formats a duration in its largest unit.
export function span(ms) {
	const seconds = Math.max(0, ms) / 1000;
	const [value, unit] = seconds < 60 ? [seconds, "second"] : seconds < 5400 ? [seconds / 60, "minute"] : seconds < 129_600 ? [seconds / 3600, "hour"] : [seconds / 86_400, "day"];
	return new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: 0 }).format(Math.floor(value));
}
