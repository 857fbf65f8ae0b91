// Shows all known details of a message in a dialog.

import { h } from "../page/element.js";
import { full, t, time } from "../page/language.js";
import { dialog } from "../page/overlay.js";
import { callerName, sourceName, spelled } from "../page/people.js";
import { chatPath, get } from "../server/calls.js";

export async function showDetails({ message_id }, { session, address, facts }) {
	const ask = (raw) => get(chatPath(address, "/details"), { session_id: session, message_id, raw });
	const body = h("div.facts", t("loading"));
	dialog(t("details"), body);
	try {
		body.replaceChildren(h("dl", rows(await ask(), facts.sessions)));
		if (facts.may.admin) body.append(h("details", { toggle: ({ target }) => showRaw(target, ask) }, h("summary", t("raw_events"))));
	} catch (error) {
		body.replaceChildren(h("p.wrong", { role: "alert" }, error.message));
	}
}

function rows({ message, receipts, copies, sent_by: sentBy }, sessions) {
	const isIn = message.direction === "incoming";
	const who = isIn ? message.sender ?? message.from_number : message.to_number;
	const row = (name, ...value) => [h("dt", name), h("dd", value)];
	const at = (name, moment) => row(name, time(moment, full(moment)));
	return [
		row(t(isIn ? "from" : "to"), h("bdi", message.sender_name ?? ""), " ", h("bdi", spelled(who ?? message.address))),
		sentBy && row(t("sent_by"), h("bdi", callerName(sentBy))),
		at(t("time"), message.timestamp),
		...copies.map((copy) => at(t("received_from", { session: sourceName(sessions, copy.session_id) }), copy.received_at)),
		...receipts.map((one) => at(t(`status_${one.status}`), one.at)),
		row(t("message_id"), h("code", message.message_id)),
	];
}

async function showRaw(place, ask) {
	if (place.children.length > 1) return;
	const { events } = await ask(true).catch((error) => ({ events: [{ body: error.message }] }));
	for (const { sender, received_at: at, body } of events) place.append(h("p.small", sender ?? "sak", at && [" · ", time(at, full(at))]), h("pre", { tabindex: 0 }, indented(body)));
}

function indented(body) {
	try {
		return JSON.stringify(JSON.parse(body), null, 2);
	} catch {
		return body;
	}
}
