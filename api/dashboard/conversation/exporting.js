// Exports a conversation to a file or to paper: for a period, with names, in the reader's time zone.

import { day, midnight } from "../list/searchfilters.js";
import { h } from "../page/element.js";
import { icon } from "../page/icons.js";
import { ZONE, language, t, zoneName } from "../page/language.js";
import { complain, dialog } from "../page/overlay.js";
import { nameOf } from "../page/people.js";
import { queryOf } from "../page/route.js";
import { chatPath } from "../server/calls.js";
import { printed } from "./paper.js";

const FORMATS = { txt: "type_text", xlsx: "save_spreadsheet", csv: "save_csv", ndjson: "save_all" };

// Opens the dialog for a conversation: {chat, address, session, isGroup}.
export function open(conversation) {
	const { address, session } = conversation;
	const from = day("from_day", () => draw());
	const until = day("until_day", () => draw());
	const period = () => ({ since: midnight(from.value, 0), until: midnight(until.value, 1) });
	const links = Object.entries(FORMATS).map(([format, name]) => [format, h("a.button", { download: true }, icon("save"), " ", t(name))]);
	const paper = h("button.button", { click: () => print() }, icon("document"), " ", t("print_or_pdf"));
	const status = h("p.small", { role: "status" });
	function draw() {
		for (const [format, link] of links) {
			const wanted = { format, session_id: session, zone: ZONE, language, ...period() };
			link.href = `${chatPath(address, "/export")}?${queryOf(wanted)}`;
		}
	}

	async function print() {
		paper.disabled = true;
		status.textContent = t("loading");
		const made = await printed(conversation, period()).catch(complain);
		paper.disabled = false;
		status.textContent = "";
		if (!made) return;
		shown.close();
		made.print();
	}

	draw();
	const shown = dialog(
		t("export"),
		h("p", h("bdi", nameOf(conversation.chat ?? conversation))),
		h("div.period", h("label", t("from_day"), from), h("label", t("until_day"), until)),
		h("p.small.muted", t("times_in_zone", { zone: zoneName() })),
		h("div.choices", links.map(([, link]) => link), paper),
		status,
	);
}
