// Manages access to the history: creates, limits and revokes tokens, and shows the audit log.

import { copy } from "../message/actions.js";
import { announce, h } from "../page/element.js";
import { t } from "../page/language.js";
import { complain, menu } from "../page/overlay.js";
import { accounts, callerName, nameOf, phone, sessionName } from "../page/people.js";
import { get, patch, post, remove } from "../server/calls.js";
import { View, ago, at, card, heads, wide } from "./view.js";

const DAY = 86_400_000; // ms
const LIVES = [1, 7, 30, 90, 365]; // days until a token expires
const RIGHTS = { read: ["read"], write: ["read", "write"], admin: ["read", "write", "admin"] };
// Finds a text by the method and the last word of the path.
const DEEDS = {
	"POST read": "marked",
	"POST star": "starred",
	"POST labels": "labelled",
	"POST notes": "noted",
	"DELETE notes": "unnoted",
	"POST send": "sent",
	"POST reconcile": "asked",
	"POST redrive": "retried",
	"POST test-events": "tested",
	"DELETE test-events": "untested",
	"PATCH sessions": "named",
	"POST tokens": "admitted",
	"PATCH tokens": "expiry",
	"DELETE tokens": "revoked",
	"FORGET": "erased",
};

const lasting = (days) => (days ? new Date(Date.now() + days * DAY).toISOString() : null);
const choices = (label) => [["", t("never")], ...LIVES.map((days) => [days, t(label, { count: days })])];

export class Access extends View {
	constructor({ facts }) {
		super();
		this.facts = facts;
		this.made = h("div.made", { role: "status" });
		this.tokens = new Pages("/api/tokens", "tokens", "who_has_access", ["token_name", "rights", "sessions", "last_used", "expires", "actions"], (one) => this.#row(one), "nobody_yet");
		this.log = new Pages("/api/audit", "entries", "audit_log", ["when", "who", "deed", "about"], (one) => entry(one), "nothing_done");
		this.frame("people", card("new_access", this.#form(), this.made), card("who_has_access", this.tokens.element), facts.seesAll && card("audit_log", this.log.element));
		this.again();
	}

	// Repeated every few seconds, because somebody else may have changed it.
	again() {
		if (this.tokens.isIdle) this.tokens.load();
		if (this.facts.seesAll && this.log.isIdle) this.log.load();
	}

	#form() {
		const field = (name, control) => h("label", t(name), control);
		const option = ([value, text]) => h("option", { value }, text);
		const name = h("input.field", { required: true, maxlength: 128, autocomplete: "off" });
		const rights = h("select.field", Object.keys(RIGHTS).filter((one) => RIGHTS[one].every((scope) => this.facts.may[scope])).map((one) => option([one, t(`may_${one}`)])));
		const lasts = h("select.field", choices("in_days").map(option));
		const some = accounts(this.facts.sessions).map((one) => h("label.check", h("input", { type: "checkbox", value: one.account ?? one.session_id }), sessionName(this.facts.sessions, one.session_id)));
		const sessions = some.length > 1 && h("fieldset", h("legend", t("only_sessions")), some);
		const submit = async (event) => {
			event.preventDefault();
			const only = some.map((label) => label.firstChild).filter((box) => box.checked).map((box) => box.value);
			const wanted = { name: name.value.trim(), scopes: RIGHTS[rights.value], sessions: only.length ? only : null, page: location.origin + location.pathname };
			if (lasts.value) wanted.expires_at = lasting(Number(lasts.value));
			event.submitter.disabled = true;
			try {
				this.#show(await post("/api/tokens", wanted));
				event.target.reset();
			} catch (error) {
				complain(error);
			}
			event.submitter.disabled = false;
		};
		return h("form.access", { submit }, field("token_name", name), field("rights", rights), field("expires", lasts), sessions, h("button.button.main", { type: "submit" }, t("make_link")));
	}

	// The secret is shown only once.
	#show({ name, link, qr }) {
		const shown = h("input.field", { readonly: true, value: link, "aria-label": t("sign_in_link"), focus: ({ target }) => target.select() });
		const code = h("img", { src: `data:image/svg+xml,${encodeURIComponent(qr)}`, alt: t("qr_of", { name }) });
		const close = h("button.button", { click: () => this.made.replaceChildren() }, t("done"));
		this.made.replaceChildren(code, h("div", h("b", h("bdi", name)), h("p", t("shown_once")), shown, h("p", h("button.button.main", { click: () => copy(link) }, t("copy_link")), " ", close)));
		announce(t("shown_once"));
		this.#changed();
	}

	#changed() {
		this.tokens.load();
		if (this.facts.seesAll) this.log.load();
	}

	#row(one) {
		const rights = Object.keys(RIGHTS).find((name) => RIGHTS[name].join() === one.scopes.join());
		const session = (name) => (/^[0-9]{5,20}$/.test(name) ? phone(name) : sessionName(this.facts.sessions, name));
		const state = one.state !== "active" && h("span", { class: "pill bad" }, t(`token_${one.state}`));
		const order = (act) => () => act().then(() => this.#changed(), complain);
		const path = `/api/tokens/${one.id}`;
		const actions = () => [...choices("expires_in_days").map(([days, text]) => [days ? text : t("expires_never"), "clock", order(() => patch(path, { expires_at: lasting(days) }))]), [t(one.single_sign_on ? "sign_out_everywhere" : "revoke"), "close", order(() => remove(path))]];
		return [
			h("th", { scope: "row" }, h("bdi", one.name), h("div.small.muted", state, one.created_by && t("made_by", { name: callerName(one.created_by) }))),
			h("td", rights ? t(`may_${rights}`) : one.scopes.join(", ")),
			h("td", one.sessions ? one.sessions.map(session).join(", ") : t("all_sessions")),
			h("td", at(one.last_used_at, ago)),
			h("td", at(one.expires_at)),
			h("td", one.state === "active" && menu("more", t("more_about_token", { name: one.name }), actions)),
		];
	}
}

function entry(one) {
	const place = one.route.split("/").findLast((part) => /^[a-z]/.test(part));
	const deed = DEEDS[`${one.method} ${place}`] ?? DEEDS[one.method];
	const about = [...one.chats.map(nameOf), one.token].filter(Boolean);
	return [
		h("td", at(one.at)),
		h("th", { scope: "row" }, h("bdi", callerName(one.caller))),
		h("td", deed ? t(`deed_${deed}`) : h("span.mono", `${one.method} ${one.route}`), one.status >= 400 && h("div.small.bad", t("refused_with", { status: String(one.status) }))),
		h("td", about.map((name) => h("div", h("bdi", name)))),
	];
}

// Shows the pages of a list as a table, newest first.
class Pages {
	#cursor = null;
	#shown = "";
	#isFurther = false; // true after the first page

	constructor(path, field, label, columns, cells, nothing) {
		Object.assign(this, { path, field, cells, nothing });
		this.body = h("tbody");
		this.table = h("table", heads(columns), this.body);
		this.status = h("p.muted", t("loading"));
		this.more = h("button.button", { hidden: true, click: () => this.load(this.#cursor) }, t("show_more"));
		this.element = h("div.pages", wide(label, this.table), this.status, this.more);
		this.table.hidden = true;
	}

	// Returns true if nobody is about to use the elements that would be replaced.
	get isIdle() {
		const isUsed = this.element.contains(document.activeElement) || this.element.querySelector(":popover-open");
		return !document.hidden && !this.#isFurther && !isUsed;
	}

	async load(cursor) {
		try {
			const page = await get(this.path, { cursor, limit: 20 });
			this.#isFurther = Boolean(cursor);
			const text = JSON.stringify(page);
			if (text === this.#shown) return;
			this.#shown = text;
			const rows = page[this.field].map((one) => h("tr", this.cells(one)));
			if (cursor) this.body.append(...rows);
			else this.body.replaceChildren(...rows);
			this.#cursor = page.cursor;
			this.#report(page.cursor, t(this.nothing));
		} catch (error) {
			this.#report(this.#cursor, error.message);
			this.#shown = "";
		}
	}

	#report(cursor, text) {
		this.table.hidden = !this.body.childElementCount;
		this.status.hidden = !this.table.hidden;
		this.status.textContent = text;
		this.more.hidden = cursor === null;
	}
}
