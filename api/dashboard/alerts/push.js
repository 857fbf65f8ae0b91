// Registers this device for Web Push, so that the server can notify it while no page is open.

import { get, post, remove } from "../server/calls.js";
import { choices, close, isOn, muted } from "./alerts.js";

// Renews the subscription when a setting changes and each time the page is opened. Resolves to true if the server notifies.
export async function renew() {
	if (!isOn()) {
		const endpoint = await end();
		if (endpoint) await remove("/api/push", { endpoint });
		return false;
	}
	const { pushManager } = await navigator.serviceWorker.ready;
	const { key } = await get("/api/push");
	if (!key || !pushManager) return false;
	const device = await subscribed(pushManager, key);
	const { p256dh, auth } = device.toJSON().keys;
	const { sound = false, text = false } = choices();
	const chats = muted().map((one) => one.split("\n")).map(([session, address]) => ({ session_id: session, address }));
	await post("/api/push", { endpoint: device.endpoint, p256dh, auth, sound, text, muted: chats });
	return true;
}

async function subscribed(manager, key) {
	const wanted = { userVisibleOnly: true, applicationServerKey: key };
	try {
		return await manager.subscribe(wanted);
	} catch (error) {
		const present = await manager.getSubscription();
		if (!present) throw error;
		// The key of the server has changed.
		await present.unsubscribe();
		return manager.subscribe(wanted);
	}
}

// Ends the subscription and removes visible notifications. On sign-out, the server deletes the device.
export async function end() {
	await close(() => true);
	const worker = await navigator.serviceWorker?.getRegistration();
	const present = await worker?.pushManager?.getSubscription();
	await present?.unsubscribe();
	return present?.endpoint;
}
