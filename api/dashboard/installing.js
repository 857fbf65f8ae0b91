// Makes the page installable, and available without a connection.

import { language } from "./language.js";

const WORKER = `/service-worker.js?${language}`;
const OFTEN = 3_600_000; // ms between two looks for a newer page

export async function install() {
	const workers = navigator.serviceWorker;
	if (!workers) return; // only over https, or on this computer
	const wasKept = Boolean(workers.controller);
	// A page that was open during an upgrade begins anew while nobody sees it.
	workers.addEventListener("controllerchange", () => wasKept && document.hidden && location.reload());
	workers.addEventListener("message", ({ data }) => (location.hash = data.hash));
	// The only script that the policy of this page lets in beside the page's own.
	const policy = globalThis.trustedTypes?.createPolicy("shell", { createScriptURL: () => WORKER });
	const kept = await workers.register(policy?.createScriptURL("") ?? WORKER).catch(() => null); // a private window keeps none
	if (kept) setInterval(() => kept.update().catch(() => {}), OFTEN);
}
