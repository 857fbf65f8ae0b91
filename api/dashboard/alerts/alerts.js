// Shows notifications of new messages on this device, if its reader enabled them. They contain the text only if that was chosen.

import { isUnread } from "../list/chatrow.js";
import { MAX_PAGE, keyOf } from "../list/chats.js";
import { summary } from "../message/bubble.js";
import { keep } from "../page/device.js";
import { nameOf } from "../page/people.js";
import { get } from "../server/calls.js";

const CHOICES = "alerts";
const MUTED = "muted";
const MAX_MUTED = 500; // muted chats that a device stores
const RECENT = 600_000; // ms, because older messages that a gateway delivers are history and not news
const SILENT_KINDS = ["broadcast", "newsletter"];

const stored = (key, otherwise) => JSON.parse(localStorage.getItem(key) ?? "null") ?? otherwise;

// Returns {on, sound, text}, initially all false.
export const choices = () => stored(CHOICES, {});

export function choose(changed) {
	keep(CHOICES, JSON.stringify({ ...choices(), ...changed }));
}

// The service worker shows notifications. Without it there are none.
export const canBe = () => Boolean(navigator.serviceWorker && globalThis.Notification);

export const isOn = () => canBe() && Boolean(choices().on) && Notification.permission === "granted";

export const muted = () => stored(MUTED, []);

export const isMuted = (chat) => muted().includes(keyOf(chat));

export function mute(chat, silent) {
	const others = muted().filter((key) => key !== keyOf(chat));
	keep(MUTED, JSON.stringify(silent ? [...others, keyOf(chat)].slice(-MAX_MUTED) : others));
}

const registration = () => navigator.serviceWorker?.getRegistration();

// Handles a change from the stream. The worker notifies only if no page is visible, and uses the first of several pages.
export async function tell({ kind, message, chat }) {
	if (!chat || !isOn()) return;
	if (!isUnread(chat)) return close((one) => one.tag === keyOf(chat));
	if (kind !== "message" || message?.direction !== "incoming" || !message.unread || Date.now() - message.timestamp > RECENT) return;
	if (SILENT_KINDS.includes(chat.kind) || isMuted(chat)) return;
	const { sound, text } = choices();
	const { session_id: session, address } = chat;
	(await registration())?.active?.postMessage({ session, address, id: message.id, name: nameOf(chat), sound, text: text && summary(message) });
}

const notifications = async () => (await (await registration())?.getNotifications()) ?? [];

// Removes visible notifications.
export async function close(isDone) {
	for (const one of await notifications()) if (isDone(one)) one.close();
}

// Removes notifications of messages that were read while no page was open, but none that appears after the request,
// because the response may be older.
export async function closeRead() {
	if (!isOn()) return;
	let shown = await notifications();
	for (let cursor; shown.length && cursor !== null; ) {
		const page = await get("/api/chats", { unread: true, limit: MAX_PAGE, cursor });
		const unread = page.contacts.map(keyOf);
		shown = shown.filter((one) => !unread.includes(one.tag));
		cursor = page.cursor;
	}
	for (const one of shown) one.close();
}
