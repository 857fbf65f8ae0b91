// Shows the state of the history and its sources, and refreshes it while the view is visible.

import { outageItem, windows } from "../message/outages.js";
import { h } from "../page/element.js";
import { tool } from "../page/icons.js";
import { clock, moment, number, span, t } from "../page/language.js";
import { toast } from "../page/overlay.js";
import { phone, sessionMark, sessionName } from "../page/people.js";
import { get, post } from "../server/calls.js";
import { chart } from "./chart.js";
import { sessionForm } from "./sessionform.js";
import { View, ago, at, card, figure, heads, legend, wide } from "./view.js";

const OFTEN = 3000; // ms between two requests for the data that changes with every event
const SELDOM = 5; // requests after which the rest is requested, too
const KINDS = ["stored", "duplicate", "noise", "ping", "parked", "forgotten", "waiting"];
const MEANS = ["noise", "parked", "forgotten", "duplicate", "written_off"];
const COLUMNS = ["session", "state", "last_event", "last_ping", "never_seen"];
// Explains why an event was not understood, by the codes of the API (docs/api.md).
const REASONS = {
	body: "empty_body not_utf8 not_json nested_too_deeply not_an_object",
	event: "unknown_sender foreign_envelope unknown_shape no_event unknown_event no_session",
	store: "rejected_by_store",
	worker: "kills_worker",
};
const why = (code) => t(`reason_${Object.keys(REASONS).find((name) => REASONS[name].split(" ").includes(code)) ?? "content"}`);
const WELL = { connected: "good", disconnected: "bad", logged_out: "bad", connecting: "warn" };

export class Operations extends View {
	#looks = 0;
	#cursor = null;

	constructor({ facts }) {
		super();
		this.facts = facts;
		this.figures = h("dl.figures", { hidden: !facts.seesAll });
		this.chart = h("div");
		this.ledger = h("table");
		this.sessions = wide("sessions");
		this.outages = h("ol.outages");
		this.parked = h("ol.parked");
		this.more = h("button.button", { hidden: true, click: () => this.#parked(true) }, t("show_more"));
		const two = h("div.two", card("last_hour", this.chart), facts.seesAll && card("ledger", this.ledger));
		this.frame("operations", this.figures, two, card("sessions", this.sessions), card("outages", this.outages), card("parked", this.parked, this.more));
		this.#look();
	}

	async #look() {
		const seldom = this.#looks++ % SELDOM === 0 ? [this.#hour(), this.#sessions(), this.#parked()] : [];
		const asked = document.hidden ? [] : [this.#now(), ...seldom];
		const failed = (await Promise.allSettled(asked)).find((one) => one.status === "rejected")?.reason;
		if (this.ended) return;
		this.fail(failed);
		this.timer = setTimeout(() => this.#look(), OFTEN);
	}

	// The numbers of events are not divided by session.
	async #now() {
		if (!this.facts.seesAll) return;
		const answer = await get("/api/ledger");
		const { waiting, received, parked } = answer;
		const oldest = answer.oldest_waiting_at && Date.now() - Date.parse(answer.oldest_waiting_at);
		const lost = answer.lost.reduce((sum, gap) => sum + gap.events, 0);
		const of = (value) => (value === null ? "–" : number(value));
		this.figures.replaceChildren(
			waiting === null ? figure("queue", "–", t("no_worker"), "bad") : figure("queue", number(waiting), t("as_of", { span: span(Date.now() - Date.parse(answer.as_of)) })),
			figure("oldest", oldest ? span(oldest) : waiting === 0 ? t("nothing_waits") : "–", "", oldest > 60_000 ? "warn" : ""),
			figure("received", number(received)),
			figure("parked", number(parked), parked > 0 && t("parked_means"), parked > 0 ? "warn" : ""),
			...(lost ? [figure("lost", number(lost), t("lost_more"), "bad")] : []),
			...answer.unknown.filter((one) => one.kind !== "no_worker").map((one) => figure("unknown", number(one.count), t(`unknown_${one.kind}`, { host: one.host ?? "?" }), "bad")),
		);
		const kinds = answer.written_off ? [...KINDS, "written_off"] : KINDS;
		const sum = kinds.reduce((total, kind) => total + answer[kind], 0);
		const adds = waiting === null ? t("unknown_sum") : sum === received ? t("adds_up") : t("does_not_add_up", { n: received - sum });
		const row = (kind, about) => h("tr", h("th", { scope: "row" }, t(kind)), h("td.figure", of(answer[kind])), h("td.muted", about));
		this.ledger.replaceChildren(h("tbody", kinds.map((kind) => row(kind, MEANS.includes(kind) && t(`${kind}_means`)))), h("tfoot", row("received", adds)));
	}

	async #hour() {
		const until = Math.ceil(Date.now() / 60_000) * 60_000;
		const since = until - 3_600_000;
		const answer = await get("/api/stats", { step: "minute", since, until });
		const minutes = Array.from({ length: 60 }, () => [0, 0]);
		for (const one of answer.messages) {
			const minute = minutes[Math.floor((Date.parse(one.begins) - since) / 60_000)];
			if (minute) [minute[0], minute[1]] = [minute[0] + one.incoming, minute[1] + one.outgoing];
		}
		const total = (side) => minutes.reduce((sum, minute) => sum + minute[side], 0);
		const words = [t("incoming", { n: total(0) }), t("outgoing", { n: total(1) })];
		const ticks = [0, 15, 30, 45].map((minute) => [minute, clock(since + minute * 60_000)]);
		this.chart.replaceChildren(chart(minutes, ticks, words.join(", "), number), legend(words));
	}

	// Called when the sessions have changed.
	learned() {
		this.#sessions().catch(() => {});
	}

	// Shows the session and, with the permission to name it, a form for its name.
	#named(one, sessions) {
		const { display_name: given, phone: number, name, session_id: id } = one;
		const edit = () => {
			cell.replaceChildren(sessionForm(one, () => (cell.replaceChildren(), this.learned())));
			cell.querySelector("input").focus();
		};
		const rename = this.facts.may.admin && tool("pencil", t("name_session"), { click: edit });
		const about = [(given || !number) && h("div.small", number ? phone(number) : t("no_phone")), name && h("div.small", h("bdi", name))];
		const cell = h("th", { scope: "row", title: id }, h("div.top", h("span", sessionMark(sessions, id)), rename), about);
		return cell;
	}

	async #sessions() {
		const { sessions } = await get("/api/sessions");
		if (this.sessions.querySelector("form")) return;
		if (!sessions.length) return this.sessions.replaceChildren(h("p.muted", t("none")));
		const row = (one) =>
			h(
				"tr",
				this.#named(one, sessions),
				h("td", h("span", { class: `pill ${WELL[one.state] ?? ""}` }, t(`state_${one.state ?? "none"}`)), h("div.small.muted", one.state_at && at(one.state_at, ago))),
				h("td", at(one.last_event_at, ago), one.missed?.messages > 0 && h("div.small", t("missed", { n: one.missed.messages }), " ", at(one.missed.last_at, ago))),
				h("td", at(one.last_ping_at, ago)),
				h("td", one.never_seen.map((event) => t(`event_${event.replace(".", "_")}`)).join(", ") || t("none")),
			);
		this.sessions.replaceChildren(h("table", heads(COLUMNS), h("tbody", sessions.map(row))));
		const away = sessions.flatMap((one) => windows(one.outages).map((outage) => ({ ...outage, of: one.session_id }))).sort((a, b) => b.from - a.from);
		const items = away.map((one) => {
			const item = outageItem(one);
			item.append(h("p.muted", sessions.length > 1 && `${sessionName(sessions, one.of)} · `, one.reason in WELL ? t(`state_${one.reason}`) : one.reason));
			return item;
		});
		this.outages.replaceChildren(...(items.length ? items : [h("li.muted", t("no_outages"))]));
	}

	async #parked(further) {
		// A refresh does not close what somebody opened.
		if (!further && (this.parked.querySelector("details[open], :disabled") || this.parked.childElementCount > 20)) return;
		const answer = await get("/api/parked", { limit: 20, cursor: further && this.#cursor });
		this.#cursor = answer.cursor;
		this.more.hidden = answer.cursor === null;
		const items = answer.parked.map((one) => this.#parkedItem(one));
		if (further) this.parked.append(...items);
		else this.parked.replaceChildren(...(items.length ? items : [h("li.muted", t("nothing_parked"))]));
	}

	#parkedItem(one) {
		const again = this.facts.may.admin && h("button.button.small", { click: ({ target }) => this.#redrive(one, target) }, t("try_again"));
		const about = [one.event, one.reason, one.session_id && sessionName(this.facts.sessions, one.session_id), moment(one.received_at)];
		const body = one.body === null ? h("p.muted", t("body_gone")) : h("details", h("summary", t("raw_event", { n: one.size })), h("pre.mono", { tabindex: 0 }, one.body));
		return h("li", h("div.top", h("b", why(one.reason)), again), h("p.small.muted", about.filter(Boolean).join(" · ")), body);
	}

	// Requests a redrive, and waits for the worker that retries the event within seconds.
	async #redrive(one, button) {
		button.disabled = true;
		try {
			let answer = await post("/api/parked/redrive", { digests: [one.digest] });
			for (let look = 0; look < 40 && !answer.finished_at; look++) {
				await new Promise((resolve) => setTimeout(resolve, 500));
				answer = await get(`/api/parked/redrive/${answer.id}`);
			}
			const done = answer.finished_at && !answer.still_parked && !answer.failure;
			toast(answer.failure ?? t(done ? "redriven" : answer.finished_at ? "still_parked" : "no_worker"));
			if (done) button.closest("li").remove();
		} catch (error) {
			toast(error.message);
		}
		button.disabled = false;
		this.#now().catch(() => {});
	}
}
