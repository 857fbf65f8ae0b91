// Replaces the whole page: with the sign-in form, or with a message if the server does not answer.

import { h } from "../page/element.js";
import { icon } from "../page/icons.js";
import { t } from "../page/language.js";
import { waysIn } from "../server/calls.js";

export function door(app, enter, wrong) {
	const field = h("input.field", { type: "password", name: "token", required: true, autocomplete: "current-password", spellcheck: "false" });
	const submit = (event) => {
		event.preventDefault();
		event.submitter.disabled = true;
		enter(field.value.trim());
	};
	const problem = wrong && h("p.wrong", { role: "alert" }, wrong);
	const elsewhere = h("a.button", { href: "/sign-in/start", hidden: true }, t("single_sign_on"));
	waysIn().then((ways) => (elsewhere.hidden = !ways.single_sign_on), () => {});
	const where = h("p.muted", t("where_is_token"), " ", h("code", "var/api-token"));
	app.replaceChildren(h("main.door", h("form", { submit }, h("img", { src: "/assets/icon.svg", alt: "" }), h("h1", t("sign_in")), problem, h("label", t("token"), field), h("button.button.main", { type: "submit" }, t("sign_in")), elsewhere, where)));
	field.focus();
}

// Asks whether a link may change who is signed in.
export function question(app, [present, linked], change, stay) {
	const keep = h("button.button.main", { click: () => stay() }, t("stay_as"), " ", present);
	const other = h("button.button", { click: () => change() }, t("sign_in_as"), " ", linked);
	app.replaceChildren(h("main.door", h("div", { role: "alert" }, icon("warn"), h("h1", t("link_changes_caller")), keep, other)));
	keep.focus();
}

const PAUSE = 3000; // ms between two attempts

export function wall(app, again) {
	const button = h("button.button.main", { click: () => again() }, t("try_again"));
	app.replaceChildren(h("main.door", h("div", { role: "alert" }, icon("warn"), h("h1", t("unreachable")), h("p.muted", t("unreachable_more")), button)));
	// The page also retries by itself, so that it recovers without a click.
	setTimeout(() => button.isConnected && again(), PAUSE);
}
