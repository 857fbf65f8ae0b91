// Shows the labels and notes of a chat, and the forms that change them.

import { said } from "../message/formatting.js";
import { h, hue } from "../page/element.js";
import { tool } from "../page/icons.js";
import { brief, full, t, time } from "../page/language.js";
import { complain } from "../page/overlay.js";
import { callerName } from "../page/people.js";
import { chatPath, post, remove } from "../server/calls.js";

// act(text) resolves to true if it succeeded. keep: called with the text that is not saved yet.
function form(kind, text, label, act, keep = () => {}) {
	const field = h(kind, { rows: 2, maxlength: kind === "input.field" ? 40 : 4000, "aria-label": label, placeholder: label, input: () => keep(field.value) });
	field.value = text;
	const submit = (event) => {
		event.preventDefault();
		const words = field.value.trim();
		if (words) act(words).then((isDone) => isDone && keep((field.value = "")));
	};
	return h("form", { submit }, field, tool("send", t("save"), { type: "submit" }));
}

export class Annotations {
	#notes = [];
	#changing = null; // the id of the note that is being changed

	// place: {session_id, address}. key: that of the chat in the outbox. changed: called with the answer of the API.
	constructor({ place: { session_id, address }, key, outbox, may, changed }) {
		Object.assign(this, { may, changed });
		this.path = (rest) => chatPath(address, rest, session_id);
		this.labels = h("div.labels");
		this.notes = h("ol");
		const add = (label) => this.#post("/labels", { add: [label] });
		const write = (text) => this.#post("/notes", { text });
		this.elements = [h("section", h("h3", t("labels")), this.labels, may && form("input.field", "", t("add_label"), add)), h("section", h("h3", t("notes")), may && form("textarea.field", outbox.note(key), t("add_note"), write, (text) => outbox.keepNote(key, text)), this.notes)];
	}

	draw({ labels, notes }) {
		const take = (label) => this.#post("/labels", { remove: [label] });
		this.labels.replaceChildren(...labels.map((label) => h("span.label", { hue: hue(label) }, h("bdi.cut", label), this.may && tool("close", t("remove_label", { label }), { click: () => take(label) }))));
		this.#notes = notes;
		if (!notes.some((one) => one.id === this.#changing)) this.#show();
	}

	#show(changing = null) {
		this.#changing = changing;
		this.notes.replaceChildren(...this.#notes.map((one) => h("li.note", one.id === changing ? this.#editor(one) : this.#item(one))));
		this.notes.querySelector("textarea")?.focus();
	}

	#item({ id, text, author, created_at: created, changed_at: changed }) {
		const at = changed ?? created;
		return [...said(text), h("p.small.line", h("bdi.cut", callerName(author)), time(at, brief(at), changed ? `${full(at)} (${t("edited")})` : full(at)), this.may && tool("pencil", t("change_note"), { click: () => this.#show(id) }))];
	}

	#editor({ id, text }) {
		const button = (name, click) => h("button.button.small", { click }, t(name));
		return [form("textarea.field", text, t("change_note"), (words) => this.#post(`/notes/${id}`, { text: words })), h("p", button("cancel", () => this.#show()), button("delete", () => this.#done(remove(this.path(`/notes/${id}`)))))];
	}

	#post(rest, body) {
		return this.#done(post(this.path(rest), body));
	}

	#done(asked) {
		return asked.then((answer) => {
			if (answer.notes) this.#changing = null;
			this.changed(answer);
			return true;
		}, complain);
	}
}
