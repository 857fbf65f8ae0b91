// Defines the actions on a message, and the keys and the long press that open its menu.

import { t } from "../page/language.js";
import { complain, toast } from "../page/overlay.js";
import { toChat } from "../page/route.js";
import { chatPath, post } from "../server/calls.js";
import { showDetails } from "./details.js";

const BUTTON = "li[data-key] [popovertarget]";
const LONG = 450; // ms of a long press

// conversation: {session, address, facts}
export function actionsOf(message, conversation) {
	const { session, address, facts } = conversation;
	const text = !message.deleted && (message.message_text || message.caption);
	const isStored = message.id !== null;
	const link = () => `${location.href.split("#")[0]}${toChat(session, address, message.message_id)}`;
	const star = () => post(chatPath(address, "/star", session), { message_id: message.message_id, starred: !message.starred }).catch(complain);
	return [
		text && [t("copy_text"), "copy", () => copy(text)],
		isStored && [t("copy_link"), "link", () => copy(link())],
		isStored && facts.may.write && [t(message.starred ? "unstar" : "star"), "star", star],
		isStored && [t("details"), "system", () => showDetails(message, conversation)],
	].filter(Boolean);
}

// Copies text to the clipboard.
export async function copy(text) {
	try {
		await navigator.clipboard.writeText(text);
	} catch {
		// Only pages on https or on localhost have access to the clipboard.
		const field = document.createElement("textarea");
		field.value = text;
		document.body.append(field);
		field.select();
		document.execCommand("copy");
		field.remove();
	}
	toast(t("copied"));
}

// Opens the menu when a long press ends. If it opened earlier, the release of the press would close it.
export function onLongPress(list) {
	let pressed = null;
	const end = ({ type, timeStamp }) => {
		// Browsers with their own long press cancel the pointer at that time. Otherwise, a cancelled pointer means scrolling.
		const isLong = pressed?.held || (type === "pointerup" && timeStamp - pressed?.at >= LONG);
		const button = isLong && pressed.button;
		pressed = null;
		// Wait for the click that may follow, because it would hit the menu.
		if (button) setTimeout(() => button.click(), 100);
	};
	list.addEventListener("pointerdown", ({ pointerType, target, timeStamp }) => {
		const button = pointerType === "touch" && target.closest("li[data-key]")?.querySelector("[popovertarget]");
		pressed = button ? { button, at: timeStamp } : null;
	});
	list.addEventListener("contextmenu", (event) => {
		if (!pressed) return;
		event.preventDefault();
		pressed.held = true;
	});
	list.addEventListener("pointerup", end);
	list.addEventListener("pointercancel", end);
}

// Tab reaches the menu of one message. The arrow keys reach all of them.
export function onArrows(list) {
	list.addEventListener("keydown", (event) => {
		const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
		if (!step || event.altKey || !event.target.matches(BUTTON)) return;
		event.preventDefault();
		const buttons = [...list.querySelectorAll(BUTTON)];
		buttons[buttons.indexOf(event.target) + step]?.focus();
	});
	list.addEventListener("focusin", ({ target }) => target.matches(BUTTON) && rove(list, target));
}

export function rove(list, to) {
	const all = [...list.querySelectorAll(BUTTON)];
	const chosen = to ?? all.find((one) => one.tabIndex === 0) ?? all.at(-1);
	for (const one of all) one.tabIndex = one === chosen ? 0 : -1;
}
