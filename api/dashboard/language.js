// Words and times in the reader's language and time zone.

import { languages, texts } from "./texts.js";

export { languages };
export const language = [localStorage.getItem("language"), ...navigator.languages.map((one) => one.slice(0, 2))].find((one) => languages.includes(one)) ?? "en";
const locale = navigator.languages.find((one) => one.startsWith(language)) ?? language;
const plural = new Intl.PluralRules(locale);
const numbers = new Intl.NumberFormat(locale);
const formatters = new Map();

// The text of a key; {name} is replaced by values.name, and values.count chooses between "one|other".
export function t(key, values = {}) {
	const [one, other = one] = (texts[key]?.[languages.indexOf(language)] ?? key).split("|");
	const text = plural.select(values.count ?? 0) === "one" ? one : other;
	return text.replace(/\{(\w+)\}/g, (_, name) => (typeof values[name] === "number" ? number(values[name]) : (values[name] ?? "")));
}

export function number(value) {
	return numbers.format(value);
}

function formatter(options) {
	const key = JSON.stringify(options);
	if (!formatters.has(key)) formatters.set(key, new Intl.DateTimeFormat(locale, options));
	return formatters.get(key);
}

export function clock(at) {
	return formatter({ timeStyle: "short" }).format(at);
}

export function full(at) {
	return formatter({ dateStyle: "full", timeStyle: "long" }).format(at);
}

export function moment(at) {
	return formatter({ dateStyle: "medium", timeStyle: "short" }).format(at);
}

// A number that is the same for all moments of one day here.
export function dayOf(at) {
	const date = new Date(at);
	return date.getFullYear() * 10000 + date.getMonth() * 100 + date.getDate();
}

function daysAgo(at) {
	const date = new Date(at);
	const today = new Date();
	const midnight = (one) => Date.UTC(one.getFullYear(), one.getMonth(), one.getDate());
	return Math.round((midnight(today) - midnight(date)) / 86_400_000);
}

export function day(at) {
	const ago = daysAgo(at);
	if (ago === 0) return t("today");
	if (ago === 1) return t("yesterday");
	if (ago > 1 && ago < 7) return formatter({ weekday: "long" }).format(at);
	const far = new Date(at).getFullYear() !== new Date().getFullYear();
	return formatter({ weekday: "short", day: "numeric", month: "long", year: far ? "numeric" : undefined }).format(at);
}

// As short as a list needs it.
export function brief(at) {
	const ago = daysAgo(at);
	if (ago <= 0) return clock(at);
	if (ago === 1) return t("yesterday");
	if (ago < 7) return formatter({ weekday: "short" }).format(at);
	return formatter({ day: "numeric", month: "numeric", year: "2-digit" }).format(at);
}

// How long something lasts, in its largest unit.
export function span(ms) {
	const seconds = Math.max(0, ms) / 1000;
	const [value, unit] = seconds < 60 ? [seconds, "second"] : seconds < 5400 ? [seconds / 60, "minute"] : seconds < 129_600 ? [seconds / 3600, "hour"] : [seconds / 86_400, "day"];
	return new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: 0 }).format(Math.floor(value));
}
