// Shows the details of a chat, beside its messages if there is room, otherwise above them.

import { summary } from "../message/bubble.js";
import { h } from "../page/element.js";
import { tool } from "../page/icons.js";
import { brief, moment, t, time } from "../page/language.js";
import { sessionName, spelled } from "../page/people.js";
import { toChat } from "../page/route.js";
import { chatPath, get } from "../server/calls.js";
import { Annotations } from "./annotations.js";

const LISTED = 30;
const PAUSE = 5000; // ms after which a failed request is repeated
const LISTS = new Map([["filter_starred", { starred: true }], ["files", { has: "file" }], ["links", { has: "link" }]]);
const WIDE = matchMedia("(min-width:1360px)");
let closed = false; // true if the reader closed it during this visit

export class Pane {
	#asked = 0;
	#due = null;

	constructor(conversation) {
		const { session, address, facts } = conversation;
		this.conversation = conversation;
		this.place = { session_id: session, address };
		this.annotations = new Annotations({ place: this.place, key: conversation.key, outbox: facts.outbox, may: facts.may.write, changed: (answer) => this.#draw({ ...this.profile, ...answer }) });
		this.known = h("dl");
		this.rest = h("div", { hidden: true }, this.annotations.elements, [...LISTS.keys()].map((name) => this.#list(name)));
		const keydown = (event) => {
			if (event.key !== "Escape" || WIDE.matches) return;
			event.stopPropagation();
			this.toggle();
		};
		this.element = h("aside.pane", { "aria-label": t("about_chat"), hidden: true, keydown }, h("div.sheethead", h("h2", t("about_chat")), tool("close", t("close"), { click: () => this.toggle() })), h("div.facts", this.known), this.rest);
		if (WIDE.matches && !closed) this.#open();
	}

	get isOpen() {
		return !this.element.hidden;
	}

	toggle() {
		const { head } = this.conversation;
		const wasOpen = this.isOpen;
		if (WIDE.matches) closed = wasOpen;
		if (wasOpen) this.element.hidden = true;
		else this.#open();
		head.draw();
		(wasOpen ? head.element.querySelector(".opener") : this.element.querySelector("button")).focus();
	}

	#open() {
		this.element.hidden = false;
		this.#ask();
	}

	// Called when the sessions have changed.
	learned() {
		if (this.profile) this.#draw(this.profile);
	}

	// Applies a change of this chat from the stream.
	update() {
		if (!this.isOpen || !this.element.isConnected) return;
		this.#due ??= setTimeout(() => {
			this.#due = null;
			this.#ask();
			for (const list of this.rest.querySelectorAll("details[open]")) this.#fill(list);
		}, 500);
	}

	async #ask() {
		const asked = ++this.#asked;
		const answer = await get(chatPath(this.place.address, "/profile"), { session_id: this.place.session_id }).catch((error) => ({ error }));
		if (asked !== this.#asked) return;
		if (answer.error) {
			this.known.replaceChildren(h("dt.wrong", answer.error.message));
			setTimeout(() => this.update(), PAUSE);
		} else this.#draw(answer.chats[0]);
	}

	#draw(profile) {
		this.profile = profile;
		this.rest.hidden = !profile;
		this.known.replaceChildren(...known(profile ?? { addresses: [this.place] }, this.conversation.facts.sessions));
		if (profile) this.annotations.draw(profile);
	}

	#list(name) {
		return h("details", { "data-list": name, toggle: ({ target }) => target.open && this.#fill(target) }, h("summary", t(name)), h("ol"));
	}

	async #fill(details) {
		const { session_id, address } = this.place;
		const answer = await get(chatPath(address), { session_id, limit: LISTED, ...LISTS.get(details.dataset.list) }).catch((error) => ({ error, messages: [] }));
		const items = answer.messages.toReversed().map((one) => h("a.line", { href: toChat(session_id, address, one.message_id) }, h("bdi.cut", one.file_name ?? summary(one)), time(one.timestamp, brief(one.timestamp))));
		details.lastChild.replaceChildren(...(items.length ? items : [answer.error?.message ?? t("none")]).map((one) => h("li.muted", one)));
	}
}

function known({ addresses, first_message_at: first, last_message_at: last, last_incoming_at: lastIncoming }, sessions) {
	const phones = new Set(addresses.map((one) => one.address).sort((a, b) => a.includes("@") - b.includes("@")));
	const rows = [...phones].map((one) => [one.includes("@") ? "address" : "number", h("bdi", { title: one }, spelled(one))]);
	rows.push(["sessions", [...new Set(addresses.map((one) => sessionName(sessions, one.session_id)))].join(", ")]);
	for (const [name, at] of [["first_seen", first], ["last_seen", lastIncoming ?? last]]) if (at) rows.push([name, time(at, moment(at))]);
	return rows.flatMap(([name, ...value]) => [h("dt", t(name)), h("dd", value)]);
}
