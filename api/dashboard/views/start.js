// Shows the setup before the first message: the webhook's URL, how to register it, and a test of the whole path.

import { h } from "../page/element.js";
import { icon } from "../page/icons.js";
import { number, t } from "../page/language.js";
import { complain } from "../page/overlay.js";
import { get, post, remove } from "../server/calls.js";
import { View, card } from "./view.js";

const LOOKS = 60; // polls for the stored event, two per second
const STEPS = ["test_ingest", "test_worker", "test_live"];

export class Start extends View {
	#arrived = () => {};

	constructor({ facts }) {
		super();
		this.facts = facts;
		this.inside = h("div.inside", h("p.muted", t("loading")));
		this.frame("first_message", this.inside);
		this.again();
	}

	// Repeated until the answer is known.
	async again() {
		if (this.known) return;
		const answer = await get("/api/test-events").catch(() => null);
		if (!answer || this.known || this.ended) return;
		this.known = answer;
		this.#draw(answer);
	}

	// Handles a change without a chat and a session, for example the test event.
	pinged() {
		this.#arrived();
	}

	#draw({ webhook_url: url, missing }) {
		const path = "/whatsapp-webhook";
		const command = `.venv/bin/python -m api sak register --url HTTPS-ADDRESS${path} --write-env .env`;
		const code = (text) => h("pre.mono", { tabindex: 0 }, text);
		const mayTest = this.facts.may.admin && this.facts.seesAll;
		this.result = h("ol.steps");
		this.button = h("button.button.main", { click: () => this.#test() }, t("send_test_event"));
		this.inside.replaceChildren(
			card("webhook_address", code(url ?? `POST ${path}`), h("p.muted", t(url ? "webhook_from_outside" : "webhook_unknown"))),
			card("register_webhook", h("p", t("register_more")), code(command), h("p", t("register_other")), code(".venv/bin/python -m api senders add NAME KIND")),
			card("test_path", h("p", t("test_more")), !mayTest ? h("p.muted", t("test_needs_admin")) : missing.length ? h("p.muted", t("test_needs", { names: missing.join(", ") })) : this.button, h("div", { role: "status" }, this.result)),
		);
	}

	async #test() {
		this.button.disabled = true;
		const items = STEPS.map((step) => h("li", icon("clock"), h("span", t(step)), h("small")));
		this.result.replaceChildren(...items);
		const done = (index, about = "") => items[index].replaceChildren(icon("check", t("done")), h("span", t(STEPS[index])), h("small", about));
		const live = new Promise((resolve) => (this.#arrived = resolve));
		try {
			const { digest, milliseconds } = await post("/api/test-events");
			done(0, `${number(milliseconds)} ms`);
			await this.#stored(digest);
			done(1);
			await Promise.race([live, pause(10_000).then(() => Promise.reject(new Error(t("test_not_live"))))]);
			done(2);
			this.result.append(h("li", h("button.button.small", { click: ({ target }) => this.#remove(digest, target) }, t("remove_test_event"))));
		} catch (error) {
			const item = items.find((one) => !one.querySelector("[role=img]"));
			item?.replaceChildren(icon("warn"), h("span", error.message));
		}
		this.button.disabled = false;
	}

	async #stored(digest) {
		for (let look = 0; look < LOOKS && !this.ended; look++) {
			if ((await get(`/api/test-events/${digest}`)).stored) return;
			await pause(500);
		}
		throw new Error(t("test_not_stored"));
	}

	async #remove(digest, button) {
		if (!(await remove(`/api/test-events/${digest}`).catch(complain))) return;
		button.replaceWith(h("small", t("test_removed")));
	}
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
