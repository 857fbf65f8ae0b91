// Shows the head of a conversation: the chat, and the actions on the whole conversation.

import * as alerts from "../alerts/alerts.js";
import { renew } from "../alerts/push.js";
import { isUnread, waits } from "../list/chatrow.js";
import { toggleUnread } from "../list/reading.js";
import { h } from "../page/element.js";
import { icon, tool } from "../page/icons.js";
import { t } from "../page/language.js";
import { complain, menu } from "../page/overlay.js";
import { accounts, avatar, nameOf, sessionMark, spelled } from "../page/people.js";
import { go } from "../page/route.js";
import * as title from "../page/title.js";
import { get } from "../server/calls.js";
import { Find } from "./find.js";

export class Head {
	constructor(conversation) {
		this.conversation = conversation;
		this.about = h("div.about");
		this.find = new Find(conversation);
		this.element = h(
			"header.bar",
			h("a.quiet.back", { href: "#/", "aria-label": t("back_to_chats") }, icon("back")),
			this.about,
			tool("search", t("search_in_chat"), { click: () => this.find.open() }),
			...menu("calendar", t("jump_to_date"), () => [this.#dates()]),
			...menu("more", t("more_about_chat"), () => this.#actions()),
		);
	}

	// Called whenever the chat changes.
	draw() {
		const { address, session, facts, chat = { address } } = this.conversation;
		const number = chat.name && spelled(address, chat.kind);
		const mark = accounts(facts.sessions).length > 1 && sessionMark(facts.sessions, session);
		title.page(nameOf(chat));
		this.about.replaceChildren(avatar(chat), h("div.who", h("h2", h("bdi", nameOf(chat))), h("p.small", (number || mark) && h("span.cut", number, number && mark && " · ", mark), waits(chat))), this.#opener());
	}

	// Loads the chat if the loaded list does not contain it.
	async introduce() {
		const { conversation } = this;
		const { address, session } = conversation;
		const answer = await get("/api/chats", { q: address, session_id: session, limit: 9 }).catch(() => null);
		conversation.chat ??= answer?.contacts.find((one) => one.address === address);
		this.draw();
	}

	// A click anywhere in the head opens the pane.
	#opener() {
		const { pane } = this.conversation;
		return h("button.opener", { "aria-expanded": String(pane.isOpen), "aria-label": t("about_chat"), click: () => pane.toggle() });
	}

	#actions() {
		const { facts, chat } = this.conversation;
		const unread = chat && facts.may.write ? [[t(isUnread(chat) ? "mark_read" : "mark_unread"), "dot", () => this.#toggle(chat)]] : [];
		const exporting = () => import("./exporting.js").then(({ open }) => open(this.conversation), complain);
		const silent = chat && alerts.isMuted(chat);
		const bell = chat && alerts.isOn() ? [[t(silent ? "unmute" : "mute"), "bell", () => this.#mute(chat, !silent)]] : [];
		return [...unread, ...bell, [t("export"), "save", exporting]];
	}

	#mute(chat, silent) {
		alerts.mute(chat, silent);
		renew().catch(complain);
	}

	// Leave the chat, because an open chat would be marked as read again.
	async #toggle(chat) {
		await toggleUnread(chat);
		if (!isUnread(chat)) go("#/");
	}

	#dates() {
		const field = h("input", { type: "date", required: true, "aria-label": t("jump_to_date") });
		// The field uses UTC, but its reader uses local time.
		field.valueAsNumber = Date.now() - new Date().getTimezoneOffset() * 60_000;
		field.max = field.value;
		const submit = (event) => {
			event.preventDefault();
			if (field.value) this.conversation.open(new Date(`${field.value}T00:00`));
			field.closest("[popover]").hidePopover();
		};
		return h("form", { submit }, field, h("button.button.main", { type: "submit" }, t("jump")));
	}
}
