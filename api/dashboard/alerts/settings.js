// Asks whether this device may show notifications, and how much they may contain.

import { h } from "../page/element.js";
import { t } from "../page/language.js";
import { dialog } from "../page/overlay.js";
import { canBe, choices, choose, isOn } from "./alerts.js";
import { renew } from "./push.js";

export function open() {
	const present = { ...choices(), on: isOn() };
	const told = h("p.small", { role: "status" });
	const box = (name) => h("input", { type: "checkbox", checked: Boolean(present[name]), change: ({ target }) => change(name, target) });
	const boxes = Object.fromEntries(["on", "sound", "text"].map((name) => [name, box(name)]));
	const labels = Object.entries(boxes).map(([name, input]) => h("label.check", input, t(`notify_${name}`)));

	async function change(name, input) {
		const isRefused = name === "on" && input.checked && (await Notification.requestPermission()) !== "granted";
		if (isRefused) input.checked = false;
		choose({ [name]: input.checked });
		draw();
		if (isRefused) told.textContent = t("notifications_refused");
		else await tell();
	}

	// A browser without a push service rejects. Then open pages notify, as they do if the server has no key.
	async function tell() {
		const always = await renew().catch(() => false);
		told.textContent = isOn() ? t(always ? "notified_always" : "notified_while_open") : "";
	}

	function draw() {
		boxes.sound.disabled = boxes.text.disabled = !boxes.on.checked;
	}

	draw();
	dialog(t("notifications"), ...(canBe() ? [labels, told] : [h("p", t("notifications_need_https"))]));
	if (canBe()) tell();
}
