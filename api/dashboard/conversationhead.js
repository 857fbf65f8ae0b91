// The head of a conversation: who it is with, and what can be done with it as a whole.

import { chatPath } from "./calls.js";
import { waitingSince } from "./chatrow.js";
import { h } from "./element.js";
import { icon } from "./icons.js";
import { full, span, t } from "./language.js";
import { ask, menu } from "./overlay.js";
import { avatar, nameOf, sessionName, spelled } from "./people.js";

// Draws into `conversation.header`, again whenever something about the chat changes.
export function head(conversation) {
	const { session, address, facts, header } = conversation;
	const chat = conversation.chat ?? { address, name: null, kind: null };
	const told = [];
	if (chat.name) told.push(spelled(address, chat.kind));
	if (facts.sessions.length > 1) told.push(sessionName(facts.sessions, session));
	const waits = waitingSince(chat);
	const waiting = waits && h("span.waits", { title: t("waits_since", { time: full(waits) }) }, t("waits_for", { span: span(Date.now() - waits) }));
	const name = nameOf(chat);
	const look = JSON.stringify([name, chat.kind, told, waiting && waiting.textContent]);
	if (header.look === look) return;
	header.look = look;
	header.menu ??= menu(t("more_about_chat"), () => actions(conversation));
	header.replaceChildren(
		h("a.quiet.back", { href: "#/", "aria-label": t("back_to_chats") }, icon("back")),
		avatar(chat),
		h("div.who", h("h2", h("bdi", name)), h("p", h("span", told.join(" · ")), waiting)),
		h("button.quiet", { "aria-label": t("jump_to_date"), title: t("jump_to_date"), click: () => jump(conversation) }, icon("calendar")),
		...header.menu,
	);
}

function actions(conversation) {
	const { session, address } = conversation;
	const file = (format) => `${chatPath(address, "/export")}?${new URLSearchParams({ format, session_id: session })}`;
	return [
		{ text: t("print"), icon: "document", act: () => print() },
		{ text: t("export_text"), icon: "down", href: file("txt"), download: true },
		{ text: t("export_csv"), icon: "down", href: file("csv"), download: true },
		{ text: t("export_ndjson"), icon: "down", href: file("ndjson"), download: true },
	];
}

async function jump(conversation) {
	const today = new Date();
	const local = `${today.getFullYear()}-${String(today.getMonth() + 1).padStart(2, "0")}-${String(today.getDate()).padStart(2, "0")}`;
	const field = h("label.stack", h("span", t("date")), h("input.field", { type: "date", name: "date", required: true, max: local, value: local }));
	const data = await ask(t("jump_to_date"), { body: [field], confirm: t("jump") });
	const date = data?.get("date");
	if (date) conversation.open(new Date(`${date}T00:00`));
}
