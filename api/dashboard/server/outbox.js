// Stores what the reader has written but not sent: drafts, and messages that the server does not know. They are stored
// on the device, per person, until they are sent or discarded.

import * as device from "../page/device.js";
import { Unreachable } from "./calls.js";
import { draft as begin, send } from "./sends.js";

export class Outbox {
	#drafts = new Map();
	#letters = new Map();
	#listeners = new Set();
	#sending = new Set();

	constructor(person, signal) {
		this.prefix = `unsent ${person} `;
		for (const [key, text] of device.all(this.prefix)) this.#read(key, text);
		// Another tab of the same person changed the entries.
		const listen = ({ key, newValue }) => key?.startsWith(this.prefix) && this.#read(key.slice(this.prefix.length), newValue) !== false && this.#changed();
		addEventListener("storage", listen, { signal });
	}

	get isEmpty() {
		return !this.#drafts.size && !this.letters().some((one) => one.local) && !device.all(`${this.prefix}note `).length;
	}

	onChange(listener) {
		this.#listeners.add(listener);
		return () => this.#listeners.delete(listener);
	}

	draft(chat) {
		return this.#drafts.get(chat) ?? "";
	}

	draftFile(chat) {
		return device.files.find(`${this.prefix}draft ${chat}`);
	}

	write(chat, text) {
		if (this.draft(chat) === text) return;
		const isOther = !this.draft(chat) !== !text;
		if (text) this.#drafts.set(chat, text);
		else this.#drafts.delete(chat);
		device.keep(`${this.prefix}draft ${chat}`, text);
		if (isOther) this.#changed();
	}

	// Returns the note on a chat that was begun and not saved.
	note(chat) {
		return device.find(`${this.prefix}note ${chat}`) ?? "";
	}

	keepNote(chat, text) {
		device.keep(`${this.prefix}note ${chat}`, text);
	}

	attach(chat, file) {
		device.files.keep(`${this.prefix}draft ${chat}`, file);
	}

	// Returns the messages to this chat, or to all chats, oldest first.
	letters(chat) {
		return [...this.#letters.values()].filter((one) => !chat || chatOf(one) === chat).sort((a, b) => a.timestamp - b.timestamp);
	}

	// Returns the mark of a chat in the list: {draft}, {unsent} or null.
	mark(chat) {
		if (this.letters(chat).some((one) => one.local && one.status !== "pending")) return { unsent: true };
		return this.#drafts.has(chat) ? { draft: this.#drafts.get(chat) } : null;
	}

	// Returns the keys of all chats with a mark.
	get chats() {
		return [...new Set([...this.#drafts.keys(), ...this.letters().map(chatOf)])].filter((chat) => this.mark(chat));
	}

	async send(letter) {
		const one = begin(letter);
		this.#letters.set(one.send_id, one);
		if (one.file) await device.files.keep(this.prefix + one.send_id, one.file);
		return this.retry(one);
	}

	// Repeats the request with the same key, so the message cannot be sent twice.
	async retry(one) {
		this.#sending.add(one.send_id);
		this.#put(one, { status: "pending", reason: null });
		try {
			if (one.has_file) one.file ??= await device.files.find(this.prefix + one.send_id);
			const answer = await send(one);
			// The server has stored it. Our copy remains visible until the server's row is visible.
			device.keep(`${this.prefix}letter ${one.send_id}`, null);
			Object.assign(one, { answer, status: answer.status, local: false });
			if (one.has_file) device.files.keep(this.prefix + one.send_id, null);
			this.#changed(one);
		} catch (error) {
			this.#put(one, error instanceof Unreachable ? { status: "unknown" } : { status: "failed", reason: error.message });
		}
		this.#sending.delete(one.send_id);
	}

	// Records that the reader has seen the failure of one of the server's sends.
	dismiss(one) {
		device.keep(`${this.prefix}dismissed ${one.send_id}`, "1");
		this.#changed(one);
	}

	isDismissed(one) {
		return device.find(`${this.prefix}dismissed ${one.send_id}`) !== null;
	}

	discard(one) {
		this.#letters.delete(one.send_id);
		device.keep(`${this.prefix}letter ${one.send_id}`, null);
		if (one.has_file) device.files.keep(this.prefix + one.send_id, null);
		this.#changed(one);
	}

	// Replaces one of our messages with the server's row.
	settle(message) {
		const isMine = (one) => one.answer?.send_id === message.send_id || one.idempotency_key === message.idempotency_key;
		const mine = message.send_id && [...this.#letters.values()].find(isMine);
		if (mine) this.discard(mine);
	}

	clear() {
		for (const [key] of device.all(this.prefix)) {
			const [, kind, id] = /^(draft|letter|note|dismissed) ([^]*)$/.exec(key) ?? [];
			if (!kind) continue; // The key belongs to a person whose name begins like this one's.
			device.keep(this.prefix + key, null);
			device.files.keep(this.prefix + (kind === "draft" ? key : id), null);
		}
		this.#drafts.clear();
		this.#letters.clear();
		this.#changed();
	}

	#put(one, news) {
		Object.assign(one, news);
		const { file, answer, ...kept } = one;
		device.keep(`${this.prefix}letter ${one.send_id}`, JSON.stringify(kept));
		this.#changed(one);
	}

	// Returns false if this tab has newer data.
	#read(key, text) {
		const [, kind, id] = /^(draft|letter) ([^]*)$/.exec(key) ?? [];
		const known = kind === "draft" ? this.#drafts : this.#letters;
		if (!kind || this.#sending.has(id)) return false;
		if (!text) return known.delete(id);
		if (kind === "draft") this.#drafts.set(id, text);
		else this.#letters.set(id, opened(JSON.parse(text)));
		return true;
	}

	#changed(letter) {
		for (const listener of this.#listeners) listener(letter);
	}
}

const chatOf = ({ session_id, address }) => `${session_id}\n${address}`;

// A page that was closed while sending does not know the answer.
const opened = (one) => (one.status === "pending" ? { ...one, status: "unknown" } : one);
