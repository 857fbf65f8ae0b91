// How the history and its sources are doing: told by the API, asked anew while somebody looks.

import { Refused, get, post } from "./calls.js";
import { chart } from "./chart.js";
import { h } from "./element.js";
import { icon } from "./icons.js";
import { full, moment, number, span, t } from "./language.js";
import { toast } from "./overlay.js";
import { phone } from "./people.js";

const OFTEN = 3000; // ms between two looks at what changes with every event
const SELDOM = 5; // looks after which the rest is asked for, too
const KINDS = ["stored", "duplicate", "noise", "ping", "parked", "forgotten", "waiting"];
const MEANS = ["noise", "parked", "forgotten", "duplicate"];
const WELL = { connected: "good", disconnected: "bad", logged_out: "bad", connecting: "warn" };

export class Operations {
	#timer = null;
	#looks = 0;
	#cursor = null;
	#busy = new Set();

	constructor({ facts }) {
		this.facts = facts;
		this.figures = h("dl.figures");
		this.chart = h("div");
		this.ledger = h("div");
		this.sessions = h("div.wide", { tabindex: 0, role: "region", "aria-label": t("sessions") });
		this.parked = h("ol.parked");
		this.more = h("button.button", { hidden: true, click: () => this.#parked(true) }, t("show_more"));
		this.problem = h("p.wrong", { role: "alert", hidden: true });
		const card = (title, about, ...inside) => h("section.card", h("h3", t(title)), h("p.muted", t(about)), ...inside);
		this.element = h(
			"div.operations",
			{ tabindex: -1 },
			h(
				"div",
				h("header", h("a.quiet.back", { href: "#/", "aria-label": t("back_to_chats") }, icon("back")), h("h2", t("operations"))),
				this.problem,
				this.figures,
				h("div.two", card("last_hour", "last_hour_more", this.chart), card("ledger", "ledger_more", this.ledger)),
				card("sessions", "sessions_more", this.sessions),
				card("parked", "parked_more", this.parked, this.more),
			),
		);
		document.head.querySelector("[href$='operations.css']") ?? document.head.append(h("link", { rel: "stylesheet", href: "/assets/operations.css" }));
		this.#look();
	}

	close() {
		clearTimeout(this.#timer);
		this.#timer = null;
		this.ended = true;
	}

	focus() {
		this.element.focus({ preventScroll: true });
	}

	async #look() {
		const seldom = this.#looks++ % SELDOM === 0;
		const asked = document.hidden ? [] : [this.#now(), ...(seldom ? [this.#hour(), this.#sessions(), this.#parked()] : [])];
		const failed = (await Promise.allSettled(asked)).find((one) => one.status === "rejected")?.reason;
		if (this.ended) return;
		this.problem.hidden = !failed;
		if (failed) this.problem.textContent = failed.message;
		this.#timer = setTimeout(() => this.#look(), OFTEN);
	}

	async #now() {
		const told = await get("/api/ledger");
		const waiting = told.waiting;
		const oldest = told.oldest_waiting_at ? Date.now() - Date.parse(told.oldest_waiting_at) : null;
		const lost = told.lost.reduce((sum, gap) => sum + gap.events, 0);
		this.#figures([
			["queue", waiting === null ? "–" : number(waiting), waiting === null ? t("no_worker") : t("as_of", { span: span(Date.now() - Date.parse(told.as_of)) }), waiting === null ? "bad" : ""],
			["oldest", oldest === null ? (waiting === 0 ? t("nothing_waits") : "–") : span(oldest), "", oldest > 60_000 ? "warn" : ""],
			["received", number(told.received), t("since_beginning")],
			["parked", number(told.parked), told.parked ? t("not_understood") : "", told.parked ? "warn" : ""],
			...(lost ? [["lost", number(lost), t("lost_more"), "bad"]] : []),
		]);
		const sum = KINDS.reduce((total, kind) => total + (told[kind] ?? 0), 0);
		const row = (kind) => h("tr", h("th", { scope: "row" }, t(kind)), h("td.figure", told[kind] === null ? "–" : number(told[kind])), h("td.muted", MEANS.includes(kind) && t(`${kind}_means`)));
		const adds = waiting === null ? t("unknown_sum") : sum === told.received ? t("adds_up") : t("does_not_add_up", { n: told.received - sum });
		this.ledger.replaceChildren(h("table", h("tbody", KINDS.map(row)), h("tfoot", h("tr.sum", h("th", { scope: "row" }, t("received")), h("td.figure", number(told.received)), h("td", adds)))));
	}

	#figures(told) {
		this.figures.replaceChildren(...told.map(([name, value, about, look]) => h("div", { class: look || null }, h("dt", t(name)), h("dd", value, h("small", about)))));
	}

	async #hour() {
		const until = Math.ceil(Date.now() / 60_000) * 60_000;
		const told = await get("/api/stats", { step: "minute", since: until - 3_600_000, until });
		this.chart.replaceChildren(...chart(told.messages, until - 3_600_000));
	}

	async #sessions() {
		const { sessions } = await get("/api/sessions");
		if (!sessions.length) return this.sessions.replaceChildren(h("p.muted", t("no_sessions")));
		const at = (text) => (text ? h("time", { datetime: text, title: full(Date.parse(text)) }, t("ago", { span: span(Date.now() - Date.parse(text)) })) : h("span.muted", t("never")));
		const row = (one) =>
			h(
				"tr",
				h("th", { scope: "row" }, one.phone ? phone(one.phone) : h("span.muted", t("no_phone")), h("div.mono.muted", one.session_id)),
				h("td", h("span.pill", { class: `pill ${WELL[one.state] ?? ""}` }, t(`state_${one.state ?? "none"}`)), one.state_at ? h("div.absent", at(one.state_at)) : null),
				h("td", at(one.last_event_at)),
				h("td", at(one.last_ping_at)),
				h("td", one.never_seen.length ? h("span.mono", one.never_seen.join(", ")) : h("span.muted", t("none"))),
			);
		this.sessions.replaceChildren(h("table", h("thead", h("tr", ["session", "state", "last_event", "last_ping", "never_seen"].map((name) => h("th", { scope: "col" }, t(name))))), h("tbody", sessions.map(row))));
	}

	async #parked(further) {
		// What somebody opened is not shut by looking anew.
		if (!further && (this.parked.querySelector("details[open]") || this.parked.childElementCount > 20)) return;
		const told = await get("/api/parked", { limit: 20, cursor: further ? this.#cursor : null });
		this.#cursor = told.cursor;
		this.more.hidden = told.cursor === null;
		const items = told.parked.map((one) => this.#parkedItem(one));
		if (further) this.parked.append(...items);
		else this.parked.replaceChildren(...(items.length ? items : [h("p.muted", t("nothing_parked"))]));
	}

	#parkedItem(one) {
		const again = this.facts.scopes.includes("admin") ? h("button.button.small", { disabled: this.#busy.has(one.digest), click: (event) => this.#redrive(one, event.target) }, t("redrive")) : null;
		const received = Date.parse(one.received_at);
		return h("li", h("div.top", h("span", one.reason.replaceAll("_", " ")), again), h("div.absent", [one.event, one.session_id?.slice(0, 8)].filter(Boolean).join(" · "), " ", h("time", { datetime: one.received_at }, moment(received))), one.body === null ? h("p.absent", t("body_gone")) : h("details", h("summary", t("raw_event", { n: one.size })), h("pre.mono", { tabindex: 0 }, one.body)));
	}

	// A worker does it, within seconds.
	async #redrive(one, button) {
		this.#busy.add(one.digest);
		button.disabled = true;
		try {
			let told = await post("/api/parked/redrive", { digests: [one.digest] });
			for (let look = 0; look < 40 && !told.finished_at; look++) {
				await new Promise((resolve) => setTimeout(resolve, 500));
				told = await get(`/api/parked/redrive/${told.id}`);
			}
			const done = told.finished_at && !told.still_parked && !told.failure;
			toast(done ? t("redriven") : (told.failure ?? t(told.finished_at ? "still_parked" : "no_worker")));
			if (done) button.closest("li").remove();
		} catch (error) {
			toast(error.message);
		}
		this.#busy.delete(one.digest);
		button.disabled = false;
		this.#now().catch(() => {});
	}
}
