// Shows the field for an answer, or the reason why no answer can be written.

import { h } from "../page/element.js";
import { icon, tool } from "../page/icons.js";
import { number, t } from "../page/language.js";

// Returns why a message cannot be written to an address, or null if it can.
export function whyNot(address, may) {
	if (!may.write) return t("cannot_write_scope");
	const where = address.endsWith("@g.us") ? "group" : address.endsWith("@lid") ? "lid" : "here";
	return address.includes("@") ? t(`cannot_send_${where}`) : null;
}

export class Composer {
	#file = null;

	constructor({ key, outbox, reason, onSend }) {
		Object.assign(this, { key, outbox, onSend });
		if (reason) {
			this.element = h("footer.composer", h("p.why", reason));
			return;
		}
		this.text = h("textarea.field", { rows: 1, placeholder: t("write"), "aria-label": t("write"), dir: "auto", enterkeyhint: "send", input: () => this.#changed(), keydown: (event) => this.#key(event), paste: (event) => this.#pasted(event) });
		this.text.value = outbox.draft(key);
		this.picker = h("input", { type: "file", hidden: true, change: () => this.#attach(this.picker.files[0]) });
		this.attached = h("div.file", { hidden: true });
		this.button = h("button.send", { type: "submit", "aria-label": t("send") }, icon("send"));
		const form = h("form",
			{ submit: (event) => this.#submit(event) },
			tool("attach", t("attach"), { click: () => this.picker.click() }),
			this.picker,
			this.text,
			this.button,
		);
		this.element = h("footer.composer", this.attached, form);
		this.#changed();
		outbox.draftFile(key).then((file) => file && !this.#file && this.#attach(file));
	}

	focus() {
		this.text?.focus({ preventScroll: true });
	}

	// Shows what was written in another tab.
	adopt() {
		const draft = this.outbox.draft(this.key);
		if (!this.text || this.text.value === draft) return;
		this.text.value = draft;
		this.#changed();
	}

	#changed() {
		this.outbox.write(this.key, this.text.value);
		this.button.disabled = !this.text.value.trim() && !this.#file;
	}

	#key(event) {
		// Enter also ends a word in an input method. On a phone, it is the only way to start a new line.
		if (event.key !== "Enter" || event.shiftKey || event.isComposing || matchMedia("(pointer: coarse)").matches) return;
		this.#submit(event);
	}

	#submit(event) {
		event.preventDefault();
		const text = this.text.value.trim();
		if (!text && !this.#file) return;
		this.onSend({ text, file: this.#file });
		this.text.value = "";
		this.#attach(null);
		this.focus();
	}

	#pasted(event) {
		const [file] = event.clipboardData.files;
		if (!file) return;
		event.preventDefault();
		this.#attach(file);
	}

	#attach(file) {
		this.#file = file ?? null;
		this.outbox.attach(this.key, this.#file);
		this.picker.value = "";
		this.attached.hidden = !file;
		if (file) {
			const kind = /^(image|video)\//.exec(file.type)?.[1] ?? "document";
			this.attached.replaceChildren(icon(kind), h("span.cut", h("bdi", file.name), " ", h("small", `${number(Math.ceil(file.size / 1000))} kB`)), tool("close", t("remove_file"), { click: () => this.#attach(null) }));
			this.text.focus();
		}
		this.#changed();
	}
}
