// Shows a form for the name and colour of a session. They apply to all users.

import { h, hue } from "../page/element.js";
import { t } from "../page/language.js";
import { complain } from "../page/overlay.js";
import { HUES, sessionName } from "../page/people.js";
import { patch } from "../server/calls.js";

// done: called when the form is to be closed
export function sessionForm(session, done) {
	const { session_id: id, display_name: given, colour: chosen, account } = session;
	const unnamed = sessionName([{ ...session, display_name: null }], id);
	const name = h("input.field", { name: "name", value: given ?? "", placeholder: unnamed, maxlength: 60, autocomplete: "off", "aria-label": t("session_name") });
	const radio = (value, shade, label) => h("input.colour", { type: "radio", name: "colour", value, hue: shade, checked: value === (chosen ?? ""), "aria-label": label, title: label });
	const colours = Object.entries(HUES).map(([value, shade]) => radio(value, shade, t(`colour_${value}`)));
	const submit = async (event) => {
		event.preventDefault();
		event.submitter.disabled = true;
		const { colour } = Object.fromEntries(new FormData(event.target));
		const saved = await patch(`/api/sessions/${encodeURIComponent(id)}`, { display_name: name.value.trim() || null, colour: colour || null }).catch(complain);
		if (saved) done();
		else event.submitter.disabled = false;
	};
	const leave = (event) => event.key === "Escape" && (event.stopPropagation(), done());
	return h(
		"form.naming",
		{ submit, keydown: leave },
		name,
		h("p.mono.muted", id),
		h("fieldset.colours", h("legend.unseen", t("colour")), radio("", hue(account ?? id), t("colour_any")), colours),
		h("div.top", h("button.button.main", { type: "submit" }, t("save")), h("button.button", { click: done }, t("cancel"))),
	);
}
