// Sends messages. Each attempt has its own key, so that repeating it after a lost connection cannot send twice.

import { t } from "../page/language.js";
import { toast } from "../page/overlay.js";
import { Refused, post } from "./calls.js";

// randomUUID is not available on pages that are not served over https.
function newKey() {
	return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function kindOf(file) {
	if (["image/jpeg", "image/png", "image/webp"].includes(file.type)) return "image";
	return file.type === "video/mp4" || file.type === "video/3gpp" ? "video" : "document";
}

// Returns a message in the format of the API, which is shown until the server has its own.
export function draft({ session, address, text, file }) {
	const kind = file ? kindOf(file) : "text";
	return {
		id: null,
		local: true,
		send_id: `local-${newKey()}`,
		idempotency_key: newKey(),
		file,
		has_file: Boolean(file),
		session_id: session,
		address,
		direction: "outgoing",
		message_type: kind,
		message_text: file ? null : text,
		caption: (file && text) || null,
		file_name: file?.name ?? null,
		status: "pending",
		timestamp: Date.now(),
		time_source: "message",
		content_state: "complete",
		reactions: [],
		rev: 0,
	};
}

// Returns the outcome: {send_id, status, reason, …}. Raises Refused (nothing was sent) or Unreachable (unknown).
export function send(one) {
	const headers = { "idempotency-key": `"${one.idempotency_key}"` };
	if (!one.has_file) return post("/api/send", { to: one.address, text: one.message_text, session_id: one.session_id }, headers);
	if (!one.file) throw new Refused(0, "", t("file_not_kept"));
	const form = new FormData();
	form.append("to", one.address);
	form.append("session_id", one.session_id);
	if (one.caption) form.append("caption", one.caption);
	form.append(one.message_type, one.file, one.file.name);
	return post("/api/send", form, headers);
}

// Asks the gateway for the outcome of a send, and shows it.
export async function reconcile(message) {
	const path = `/api/sends/${encodeURIComponent(message.send_id)}/reconcile`;
	toast(await post(path, {}).then((answer) => t(answer.settled ? `status_${answer.status}` : "not_settled"), (error) => error.message));
}
