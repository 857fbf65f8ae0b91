// Where an answer is written, or the reason why none can be.

import { h } from "./element.js";
import { icon, tool } from "./icons.js";
import { number, t } from "./language.js";

const drafts = new Map(); // what was begun, by chat, for as long as the page lives

export class Composer {
	#file = null;

	constructor({ key, reason, onSend }) {
		this.key = key;
		this.onSend = onSend;
		if (reason) {
			this.element = h("footer.composer", h("p.why", reason));
			return;
		}
		this.text = h("textarea.field", { rows: 1, placeholder: t("write"), "aria-label": t("write"), dir: "auto", enterkeyhint: "send", input: () => this.#changed(), keydown: (event) => this.#key(event), paste: (event) => this.#pasted(event) });
		this.text.value = drafts.get(key) ?? "";
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
	}

	focus() {
		this.text?.focus({ preventScroll: true });
	}

	#changed() {
		drafts.set(this.key, this.text.value);
		this.button.disabled = !this.text.value.trim() && !this.#file;
	}

	#key(event) {
		// Enter also ends a word that an input method composes; a phone's keyboard has no other way to begin a line.
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
