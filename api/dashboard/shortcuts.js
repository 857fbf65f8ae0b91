// Shows the keyboard shortcuts when `?` is pressed.

import { h } from "./element.js";
import { t } from "./language.js";

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

let shown = null;

export function toggle() {
	if (shown?.isConnected) return shown.remove();
	const row = ([keys, text]) => [h("dt", keys.split(" ").map((key) => h("kbd", key))), h("dd", t(text))];
	shown = h("div.menu.keys", { popover: "auto", role: "dialog", "aria-label": t("shortcuts"), tabindex: -1, toggle: ({ newState }) => newState === "closed" && shown.remove() }, h("h2", t("shortcuts")), h("dl", KEYS.map(row)));
	document.body.append(shown);
	shown.showPopover();
	return shown.focus();
}
