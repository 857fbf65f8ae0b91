// Holds the loaded messages of a conversation: in order, each once, at its newest revision.

import { windows } from "./outages.js";

const MAX_KEPT = 450; // messages to keep, beyond which messages at the far end are dropped and reloaded when needed

export const keyOf = (message) => (message.id === null ? `send:${message.send_id}` : `message:${message.id}`);

export class Timeline {
	messages = [];
	before = null; // the cursor of older messages, null if there are none
	after = null; // the cursor of newer messages, null at the live end
	outages = new Map(); // periods in which the gateway was unavailable
	lateAbove = false; // true if a message arrived that belongs above the loaded ones
	#known = new Map();
	#sends = new Set(); // ids of sends that have become messages

	start(page) {
		this.messages = [];
		this.#known.clear();
		this.lateAbove = false;
		this.before = page.before;
		this.after = page.after;
		this.#add(page, "end");
	}

	addOlder(page) {
		this.before = page.before;
		if (this.before === null) this.lateAbove = false;
		this.#add(page, "start");
		const cut = this.messages.length > MAX_KEPT ? this.messages.findLastIndex((one, i) => i < MAX_KEPT && one.cursorAfter) : -1;
		if (cut < 0) return;
		this.after = this.messages[cut].cursorAfter;
		this.#drop(cut + 1, this.messages.length);
	}

	addNewer(page) {
		this.after = page.after;
		this.#add(page, "end");
		const over = this.messages.length - MAX_KEPT;
		const cut = over > 0 ? this.messages.findIndex((one, i) => i >= over && one.cursorBefore) : -1;
		if (cut < 0) return;
		this.before = this.messages[cut].cursorBefore;
		this.#drop(0, cut);
	}

	// Adds a message from the stream. Returns "new", "changed", "beyond" (outside the loaded part), or null if nothing changed.
	update(message) {
		if (message.id === null && this.#sends.has(message.send_id)) return null;
		const key = keyOf(message);
		const known = this.#known.get(key);
		if (known) {
			if (known.rev >= message.rev) return null;
			const moved = known.timestamp !== message.timestamp;
			const index = this.messages.indexOf(known);
			Object.assign(message, { cursorAfter: known.cursorAfter, cursorBefore: known.cursorBefore, seen: known.seen, live: known.live });
			if (!moved) {
				this.messages[index] = message;
				this.#known.set(key, message);
				return "changed";
			}
			this.messages.splice(index, 1);
			this.#known.delete(key);
		}
		const replaced = message.id !== null && this.#replaceSend(message);
		let at = this.messages.length;
		while (at > 0 && this.messages[at - 1].timestamp > message.timestamp) at--;
		if (at === 0 && this.before !== null) {
			this.lateAbove ||= message.unread;
			return "beyond";
		}
		if (at === this.messages.length && this.after !== null) return "beyond";
		message.live = true;
		this.messages.splice(at, 0, message);
		this.#known.set(key, message);
		return known || replaced ? "changed" : "new";
	}

	// Finds an entry by the id of a message or a send.
	find(id) {
		return this.messages.find((one) => one.message_id === id || (one.send_id && one.send_id === id));
	}

	#add(page, end) {
		const rows = page.messages;
		for (const one of windows(page.outages)) this.outages.set(one.from, one);
		if (rows.length) {
			rows[0].cursorBefore = page.before;
			rows.at(-1).cursorAfter = page.after;
		}
		const fresh = rows.filter((message) => {
			const key = keyOf(message);
			const known = this.#known.get(key);
			if (known) {
				if (message.rev > known.rev) this.update(message);
				return false;
			}
			if (message.id !== null) this.#replaceSend(message);
			this.#known.set(key, message);
			return true;
		});
		this.messages = end === "end" ? [...this.messages, ...fresh] : [...fresh, ...this.messages];
	}

	#replaceSend(message) {
		if (!message.send_id) return false;
		this.#sends.add(message.send_id);
		const key = `send:${message.send_id}`;
		const send = this.#known.get(key);
		if (!send) return false;
		this.#known.delete(key);
		this.messages.splice(this.messages.indexOf(send), 1);
		return true;
	}

	#drop(from, to) {
		for (const one of this.messages.splice(from, to - from)) this.#known.delete(keyOf(one));
	}
}
