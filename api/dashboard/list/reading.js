// Marks messages as read if the reader has seen them, which means on the screen and in a visible page.

import { complain } from "../page/overlay.js";
import { chatPath, get, post } from "../server/calls.js";
import { isUnread } from "./chatrow.js";

const REST = 600; // ms between seeing and marking

function mark({ session_id, address }, order) {
	return post(chatPath(address, "/read", session_id), order);
}

// Toggles whether a chat is shown as unread.
export async function toggleUnread(chat) {
	await mark(chat, isUnread(chat) ? {} : { unread: true }).catch(complain);
}

export class Reading {
	asOf = null;
	blocked = false; // true if unread messages lie above the loaded ones, because marking from here would include unseen messages
	#timer = null;
	#marked = null;
	#busy = false;
	#ended = false;

	// place: {session_id, address}. may: true if the reader may mark. page: called with newer pages. refused: called with errors.
	constructor({ scroll, timeline, place, may, page, refused }) {
		Object.assign(this, { scroll, timeline, place, may, page, refused });
		this.observer = new IntersectionObserver((entries) => this.#seen(entries), { root: scroll, threshold: [0, 0.6] });
		this.look = () => this.#later();
		document.addEventListener("visibilitychange", this.look);
		addEventListener("focus", this.look);
	}

	close() {
		this.#ended = true;
		clearTimeout(this.#timer);
		this.observer.disconnect();
		document.removeEventListener("visibilitychange", this.look);
		removeEventListener("focus", this.look);
	}

	watch(li, message) {
		li.message = message;
		if (this.may && message.unread && !message.seen) this.observer.observe(li);
	}

	#seen(entries) {
		for (const { target, isIntersecting, intersectionRatio, intersectionRect, rootBounds } of entries) {
			target.onScreen = isIntersecting && (intersectionRatio >= 0.6 || intersectionRect.height > (rootBounds?.height ?? 0) * 0.5);
		}
		this.#later();
	}

	#later() {
		if (this.#ended || document.hidden) return;
		clearTimeout(this.#timer);
		this.#timer = setTimeout(() => this.#markSeen(), REST);
	}

	// Returns the last message before which no unread message is unseen.
	#upTo() {
		let found = null;
		for (const one of this.timeline.messages) {
			if (!one.unread) continue;
			if (!one.seen) break;
			found = one;
		}
		return found;
	}

	async #markSeen() {
		if (!this.may || document.hidden || this.#busy || this.blocked) return;
		for (const li of this.scroll.querySelectorAll("li[data-key]")) {
			if (li.onScreen && li.message?.unread) {
				li.message.seen = true;
				this.observer.unobserve(li);
			}
		}
		let upTo = this.#upTo();
		if (!upTo || upTo.message_id === this.#marked || this.timeline.lateAbove) return;
		this.#busy = true;
		try {
			// A page contains a snapshot of the messages that it could show. Messages from the stream need a newer page. That page
			// is shown first, and messages that arrived in between stay unread.
			if (upTo.live || !this.asOf) {
				const page = await get(chatPath(this.place.address), { session_id: this.place.session_id, limit: 50 });
				this.page(page);
				this.asOf = page.as_of;
				await new Promise((resolve) => setTimeout(resolve, REST));
				upTo = this.#upTo();
				if (!upTo || this.timeline.lateAbove || this.#ended) return;
			}
			await mark(this.place, { up_to: upTo.message_id, as_of: this.asOf });
			this.#marked = upTo.message_id;
			for (const one of this.timeline.messages.slice(0, this.timeline.messages.indexOf(upTo) + 1)) one.unread = false;
		} catch (error) {
			this.refused(error);
		} finally {
			this.#busy = false;
		}
	}

	// Opening a chat that is only marked as unread marks it as read.
	async opened() {
		if (this.may) await mark(this.place, { as_of: this.asOf }).catch(this.refused);
	}

	// Called when the whole chat was read or marked as read elsewhere.
	nothingLeft() {
		for (const one of this.timeline.messages) one.unread = false;
		this.blocked = this.timeline.lateAbove = false;
	}
}
