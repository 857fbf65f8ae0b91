// Marks as read what a reader really had before the eyes: on the screen, in a page that is being looked at.

import { chatPath, get, post } from "./calls.js";
import { isUnread } from "./chatrow.js";
import { complain } from "./overlay.js";

const REST = 600; // ms between seeing and marking

function mark({ session_id, address }, order) {
	return post(chatPath(address, `/read?${new URLSearchParams({ session_id })}`), order);
}

// Shows a chat as unread that is read, and the other way round.
export async function toggleUnread(chat) {
	await mark(chat, isUnread(chat) ? {} : { unread: true }).catch(complain);
}

export class Reading {
	asOf = null;
	blocked = false; // unread messages lie above what is loaded: marking from here would mark them unseen
	#timer = null;
	#marked = null;
	#busy = false;
	#ended = false;

	// place: {session_id, address}. may: whether the reader may mark. page: called with newer pages. refused: called with errors.
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

	// The last message up to which nothing unread is unseen.
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
			// A page says what it could have shown; what came live needs a newer one. What that page shows is shown first,
			// and what came in between stays unread.
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

	// Whoever opens a chat that is only marked as unread has seen it.
	async opened() {
		if (this.may) await mark(this.place, { as_of: this.asOf }).catch(this.refused);
	}

	// Somebody read all of it elsewhere, or said so.
	nothingLeft() {
		for (const one of this.timeline.messages) one.unread = false;
		this.blocked = this.timeline.lateAbove = false;
	}
}
