// Shows the keyboard shortcuts when `?` is pressed.

import { h } from "../page/element.js";
import { t } from "../page/language.js";
import { dialog } from "../page/overlay.js";

const KEYS = [
	["Ctrl K", "search"],
	["Ctrl Shift F", "search_in_chat"],
	["↑ ↓ Enter", "key_list"],
	["Alt ↑ ↓", "key_next"],
	["N", "key_waiting"],
	["Enter", "send"],
	["Shift Enter", "key_line"],
	["Esc", "back_to_chats"],
	["?", "shortcuts"],
];

export function open() {
	const row = ([keys, text]) => [h("dt", keys.split(" ").map((key) => h("kbd", key))), h("dd", t(text))];
	dialog(t("shortcuts"), h("dl.keys", KEYS.map(row)));
}
