// Makes the page installable and available without a connection.

import { language } from "./language.js";

const WORKER = `/service-worker.js?${language}`;
const OFTEN = 3_600_000; // ms between two checks for a newer page

export async function install() {
	const workers = navigator.serviceWorker;
	if (!workers) return; // Service workers require https or localhost.
	const wasKept = Boolean(workers.controller);
	// After an upgrade, an open page reloads while it is hidden.
	workers.addEventListener("controllerchange", () => wasKept && document.hidden && location.reload());
	workers.addEventListener("message", ({ data }) => (location.hash = data.hash));
	// The policy of this page permits this script in addition to the page's own scripts.
	const policy = globalThis.trustedTypes?.createPolicy("shell", { createScriptURL: () => WORKER });
	const kept = await workers.register(policy?.createScriptURL("") ?? WORKER).catch(() => null); // a private window keeps none
	if (kept) setInterval(() => kept.update().catch(() => {}), OFTEN);
}
