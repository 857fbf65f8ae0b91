// Has the server notify this device also where no page is open, if it can (Web Push).

import { choices, close, isOn, muted } from "./alerts.js";
import { get, post, remove } from "./calls.js";

// Again whenever something of what the reader chose has changed, and once with each opening of the page. Whether it does.
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
		// The server has another key than it had.
		await present.unsubscribe();
		return manager.subscribe(wanted);
	}
}

// Nothing more is told, and nothing that was is left to be seen. Signing out has the server forget the device.
export async function end() {
	await close(() => true);
	const worker = await navigator.serviceWorker?.getRegistration();
	const present = await worker?.pushManager?.getSubscription();
	await present?.unsubscribe();
	return present?.endpoint;
}
