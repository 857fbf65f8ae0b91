// Shows statistics of the conversations: today by hour, 30 days by day, 12 weeks by week. Each number links to its chats.

import { choice } from "../list/filters.js";
import { h } from "../page/element.js";
import { ZONE, clock, dateBriefly, dayAndMonth, dayOf, full, number, span, t, time, weekdayBriefly } from "../page/language.js";
import { accounts, nameOf, sessionMark, sessionName } from "../page/people.js";
import { go, toChat, toList, toToday } from "../page/route.js";
import { get } from "../server/calls.js";
import { chart } from "./chart.js";
import { View, card, figure, heads, legend, wide } from "./view.js";

const HOUR = 3_600_000;
const OFTEN = 60_000; // ms between two requests
const SOON = 5000; // ms after which a failed request is repeated, or one that was not made because the page was hidden
// For each unit: the interval of labels below the chart, the format of a label, and the name of a unit in the table.
const STEPS = {
	hour: { ticks: 6, tick: clock, named: (from, until) => `${clock(from)}–${clock(until)}` },
	day: { ticks: 7, tick: dayAndMonth, named: (from) => `${weekdayBriefly(from)} ${dateBriefly(from)}` },
	week: { ticks: 3, tick: dayAndMonth, named: (from, until) => `${dateBriefly(from)}–${dateBriefly(until - 1)}` },
};

export class Today extends View {
	constructor({ facts, place }) {
		super();
		Object.assign(this, { facts, step: place.by in STEPS ? place.by : "hour", session: place.session_id });
		this.inside = h("div.inside", h("p.muted", t("loading")));
		this.choices = h("div.chips.bare", { role: "group", "aria-label": t("period") });
		this.frame("today", this.choices, this.inside);
		this.learned();
		this.#look();
	}

	// Called when the sessions have changed.
	learned() {
		const { sessions } = this.facts;
		const choices = accounts(sessions);
		const steps = Object.keys(STEPS).map((step) => h("a.chip", { href: toToday({ by: step, session_id: this.session }), "aria-current": step === this.step ? "true" : null }, t(`by_${step}`)));
		const options = choices.map((one) => [one.session_id, sessionName(sessions, one.session_id)]);
		const session = choice(t("session"), t("all_sessions"), options, this.session, (session_id) => go(toToday({ by: this.step, session_id })));
		this.choices.replaceChildren(...steps, ...(choices.length > 1 ? [session] : []));
		if (this.answer) this.#draw();
	}

	async #look() {
		const asked = document.hidden ? null : await this.#ask().catch((error) => error);
		if (this.ended) return;
		const failed = asked instanceof Error;
		this.fail(failed && asked);
		if (asked && !failed) {
			this.answer = asked;
			this.#draw();
		}
		this.timer = setTimeout(() => this.#look(), asked && !failed ? OFTEN : SOON);
	}

	async #ask() {
		const steps = begins(this.step);
		const answer = await get("/api/stats", { step: this.step, since: steps[0], until: steps.at(-1), zone: ZONE, session_id: this.session });
		return { ...answer, steps };
	}

	// Returns a number that links to the chats of its messages.
	#link(value, shown, filter) {
		return value ? h("a", { href: toList({ session_id: this.session, ...filter }) }, shown) : shown;
	}

	#counts({ incoming, outgoing, median_seconds: median, p90_seconds: p90, asked, answered }, filter) {
		const lasts = (seconds) => (seconds === null || seconds === undefined ? "–" : this.#link(true, span(seconds * 1000), { ...filter, answered: true }));
		return {
			in: this.#link(incoming, number(incoming), { ...filter, direction: "incoming" }),
			out: this.#link(outgoing, number(outgoing), { ...filter, direction: "outgoing" }),
			median: lasts(median),
			p90: lasts(p90),
			answered: asked ? [this.#link(answered, number(answered), { ...filter, answered: true }), ` / ${number(asked)}`] : "–",
		};
	}

	#draw() {
		const { messages, first_responses: responses, waiting, unread, steps } = this.answer;
		const { sessions } = this.facts;
		const period = { since: steps[0], until: steps.at(-1) };
		const sum = (list, key) => list.reduce((total, one) => total + one[key], 0);
		const both = (list) => ({ incoming: sum(list, "incoming"), outgoing: sum(list, "outgoing") });
		const all = this.#counts({ ...both(messages), ...responses }, period);
		const longest = waiting.longest[0];
		const figures = h(
			"dl.figures",
			figure("messages_in", all.in),
			figure("messages_out", all.out),
			figure("half_within", all.median),
			figure("nine_of_ten_within", all.p90),
			figure("answered", all.answered, t("of_asked")),
			figure("waiting_now", this.#link(waiting.chats, number(waiting.chats), { waiting: true, sort: "waiting_since" }), longest && t("longest", { span: ago(longest) })),
			figure("unread_now", this.#link(unread.chats, number(unread.chats), { unread: true }), unread.messages > 0 && t("unread_count", { count: unread.messages })),
		);
		const rows = steps.slice(0, -1).map((begins, index) => {
			const until = steps[index + 1];
			// Where clocks change by half an hour, the hours of the server begin between ours.
			const here = (list) => list.filter((one) => Date.parse(one.begins) >= begins && Date.parse(one.begins) < until);
			return { ...both(here(messages)), ...here(responses.by_step)[0], begins, until };
		});
		const names = accounts(sessions).map((one) => {
			const here = (list) => list.filter((each) => each.session_id === one.session_id || (one.account && one.account_sessions.includes(each.session_id)));
			return { id: one.session_id, ...both(here(messages)), ...here(responses.by_session)[0], waits: here(waiting.by_session)[0] };
		});
		const waits = waiting.longest.map((chat) => h("li", h("a", { href: toChat(chat.session_id, chat.address) }, h("bdi", nameOf(chat))), " ", time(chat.waiting_since, ago(chat))));
		const wasOpen = this.inside.querySelector("details")?.open;
		this.inside.replaceChildren(
			figures,
			h("div.two", this.#charts(rows).map(([title, ...inside]) => card(title, ...inside))),
			h("details.card", { open: wasOpen }, h("summary", t("as_table")), this.#stepTable(rows)),
			...(names.length > 1 && !this.session ? [card("by_session", this.#sessionTable(names, period))] : []),
			card("longest_waiting", waits.length ? h("ol.queue", waits) : h("p.muted", t("nobody_waits"))),
		);
	}

	#charts(rows) {
		const { ticks, tick } = STEPS[this.step];
		const words = rows.flatMap((row, index) => (index % ticks ? [] : [[index, tick(row.begins)]]));
		const total = (key) => rows.reduce((sum, row) => sum + row[key], 0);
		const names = [t("incoming", { n: total("incoming") }), t("outgoing", { n: total("outgoing") })];
		const medians = rows.map((row) => [(row.median_seconds ?? 0) / 60, 0]);
		return [
			["messages", chart(rows.map((row) => [row.incoming, row.outgoing]), words, names.join(", "), number, 200), legend(names)],
			["first_answer_by_step", chart(medians, words, t("first_answer_by_step"), (minutes) => span(minutes * 60_000), 200)],
		];
	}

	#stepTable(rows) {
		const { named } = STEPS[this.step];
		const lines = rows.filter((row) => row.incoming || row.outgoing || row.asked).map((row) => {
			const { begins, until } = row;
			return [time(begins, named(begins, until), full(begins)), this.#counts(row, { since: begins, until })];
		});
		return table("time", lines);
	}

	#sessionTable(names, period) {
		const lines = names.map(({ id, waits, ...row }) => {
			const waiting = waits ? [this.#link(true, number(waits.chats), { session_id: id, waiting: true, sort: "waiting_since" }), h("div.small.muted", t("longest", { span: ago(waits) }))] : number(0);
			return [sessionMark(this.facts.sessions, id), { ...this.#counts(row, { session_id: id, ...period }), waiting }];
		});
		return table("session", lines);
	}
}

const HEADS = { in: "messages_in", out: "messages_out", median: "half_within", p90: "nine_of_ten_within", answered: "answered", waiting: "waiting_now" };

function table(first, lines) {
	if (!lines.length) return h("p.muted", t("no_messages"));
	const columns = Object.keys(HEADS).filter((name) => name in lines[0][1]);
	const head = heads([first, ...columns.map((name) => HEADS[name])]);
	const body = lines.map(([name, counts]) => h("tr", h("th", { scope: "row" }, name), columns.map((column) => h("td", counts[column]))));
	return wide(first === "session" ? "by_session" : "messages", h("table", head, h("tbody", body)));
}

function ago({ waiting_since: since }) {
	return span(Date.now() - Date.parse(since));
}

// Returns the starts of the hours of today, of 30 days or of 12 weeks, in the reader's time zone, and the end of the
// last one.
function begins(step) {
	const day = new Date(dayOf(Date.now()));
	const later = (days) => new Date(day).setDate(day.getDate() + days);
	if (step === "day") return Array.from({ length: 31 }, (_, index) => later(index - 29));
	if (step === "week") return Array.from({ length: 13 }, (_, index) => later((index - 11) * 7 - ((day.getDay() + 6) % 7)));
	const hours = Math.round((later(1) - later(0)) / HOUR);
	return Array.from({ length: hours + 1 }, (_, index) => later(0) + index * HOUR);
}
