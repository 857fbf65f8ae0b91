// Shows one conversation: loads its pages in both directions, follows the stream, and marks messages as read when they are seen.

import { Reading } from "../list/reading.js";
import { actionsOf } from "../message/actions.js";
import { summary } from "../message/bubble.js";
import { Timeline, keyOf } from "../message/timeline.js";
import { announce, h } from "../page/element.js";
import { icon } from "../page/icons.js";
import { number, t } from "../page/language.js";
import { complain, toast } from "../page/overlay.js";
import { nameOf, sourceName } from "../page/people.js";
import { go, toChat } from "../page/route.js";
import { Unreachable, chatPath, get } from "../server/calls.js";
import { reconcile } from "../server/sends.js";
import { Composer, whyNot } from "./composer.js";
import { Head } from "./head.js";
import { onDay } from "./jump.js";
import { MessageList } from "./messagelist.js";
import { Pane } from "./pane.js";

const PAGE = 50;
const MAX_UNREAD_PAGE = 300;
const NEAR = 900; // px from an end at which the next page is requested

export class Conversation {
	#timeline = new Timeline();
	#list;
	#divider = null; // key of the first message that was unread when the chat was opened
	#found = null;
	#missed = 0;
	#stuck = false; // true at the live end, where new messages push the others up
	#loading = false;
	#meanwhile = []; // changes that the stream delivered while a page was loading that may not contain them
	#ended = false;
	#page = 0;

	constructor({ chat, session, address, facts }) {
		Object.assign(this, { chat, session, address, facts, isGroup: address.endsWith("@g.us") });
		this.key = `${session}\n${address}`;
		this.#list = new MessageList({ timeline: this.#timeline, isGroup: this.isGroup, watch: (li, message) => this.reading.watch(li, message), isDismissed: (message) => facts.outbox.isDismissed(message), on: this.#actions });
		this.scroll = h("div.scroll", { tabindex: 0, role: "region", "aria-label": t("messages"), scroll: () => this.#scrolled() }, this.#list.element);
		this.down = h("button.down", { hidden: true, click: () => (this.#timeline.after === null ? this.#toBottom() : this.open()) });
		this.head = new Head(this);
		this.composer = new Composer({ key: this.key, outbox: facts.outbox, reason: whyNot(address, facts.may), onSend: (letter) => this.#send(letter) });
		this.element = h("section.conversation", { "aria-label": t("conversation") }, h("div.talk", this.head.element, h("div.stage", this.scroll, this.down), this.composer.element), (this.pane = new Pane(this)).element);
		this.reading = new Reading({ scroll: this.scroll, timeline: this.#timeline, place: { session_id: session, address }, may: facts.may.write, page: (page) => this.#freshen(page), refused: (error) => (error.status === 410 ? this.open() : complain(error)) });
		this.sized = new ResizeObserver(() => this.#stuck && this.#toBottom());
		this.sized.observe(this.scroll);
		this.unlisten = facts.outbox.onChange((letter) => (letter ? letter.session_id === session && letter.address === address && this.#redraw() : this.composer.adopt()));
		this.head.draw();
		if (!chat) this.head.introduce();
	}

	close() {
		this.#ended = true;
		this.unlisten();
		this.reading.close();
		this.sized.disconnect();
	}

	#ask(place) {
		return get(chatPath(this.address), { session_id: this.session, ...place });
	}

	// Loads the newest messages, or those around a message. By default it starts at the first unread message, if there is one.
	async open(at) {
		const unread = this.chat?.unread_count ?? 0;
		const page = ++this.#page;
		this.#loading = true;
		this.#meanwhile = [];
		this.again = null;
		if (!this.#timeline.messages.length) this.#list.say(t("loading"));
		try {
			const limit = at ? PAGE : Math.min(Math.max(PAGE, unread + 10), MAX_UNREAD_PAGE);
			const answer = await this.#ask({ limit, ...(at instanceof Date ? { at: at.getTime() } : { around: at }) });
			if (this.#ended || page !== this.#page) return;
			if (answer.address !== this.address) return go(toChat(this.session, answer.address, at));
			this.#start(answer, at);
		} catch (error) {
			if (this.#ended || page !== this.#page) return;
			if (error.code === "message_not_found") return complain(error), this.open();
			if (this.#timeline.messages.length) toast(error.message);
			else this.#list.say(h("p", error.message), h("button.button", { click: () => this.open(at) }, t("try_again")));
			if (error instanceof Unreachable) this.again = () => this.open(at);
		} finally {
			if (page === this.#page) this.#loading = false;
			this.#fill();
		}
	}

	#start(answer, at) {
		this.#timeline.start(answer);
		answer.messages.forEach((message) => this.facts.outbox.settle(message));
		for (const message of this.#meanwhile) this.#timeline.update(message);
		this.reading.asOf = answer.as_of;
		this.#missed = 0;
		const messages = this.#timeline.messages;
		const first = messages.find((one) => one.unread);
		this.#divider = at ? this.#divider : first ? keyOf(first) : null;
		this.reading.blocked = first === messages[0] && answer.before !== null && Boolean(first);
		this.#found = typeof at === "string" ? at : null;
		this.#stuck = false;
		this.#draw();
		const target = at instanceof Date ? onDay(messages, at) : at ? this.#timeline.find(at) : first;
		const li = this.#list.item(target);
		if (li) {
			const box = this.scroll.getBoundingClientRect();
			const mine = li.getBoundingClientRect();
			this.scroll.scrollTop += mine.top - box.top - (at && !(at instanceof Date) ? (box.height - mine.height) / 2 : box.height / 4);
		} else this.#toBottom();
		this.#scrolled();
		if (!at && this.chat?.marked_unread && !this.chat.unread_count) this.reading.opened();
	}

	// Loads older or newer messages until the window is full.
	#fill() {
		if (this.#ended || this.#loading) return;
		const { scrollTop, scrollHeight, clientHeight } = this.scroll;
		if (this.#timeline.before !== null && scrollTop < NEAR) this.#more("before");
		else if (this.#timeline.after !== null && scrollHeight - scrollTop - clientHeight < NEAR) this.#more("after");
	}

	async #more(side) {
		this.#loading = true;
		const page = this.#page;
		try {
			const answer = await this.#ask({ limit: PAGE, [side]: this.#timeline[side] });
			if (this.#ended || page !== this.#page) return;
			if (side === "before") this.#timeline.addOlder(answer);
			else this.#timeline.addNewer(answer);
			if (side === "before" && this.#timeline.before === null) this.reading.blocked = false;
			this.#redraw();
			this.#loading = false;
			this.#fill();
		} catch (error) {
			if (!this.#ended) toast(error.message);
			// The request is repeated when the reader scrolls.
			setTimeout(() => (this.#loading = false), 1500);
		}
	}

	// Applies a change of this chat from the stream.
	update(change) {
		this.pane.update(change);
		if (change.chat) {
			this.chat = change.chat;
			this.head.draw();
		}
		if (change.kind === "read" && this.chat?.unread_count === 0) this.reading.nothingLeft();
		const message = change.message;
		if (!message) return;
		this.facts.outbox.settle(message);
		if (this.#loading) this.#meanwhile.push(message);
		if (!this.reading.asOf) return;
		const effect = this.#timeline.update(message);
		if (effect === null) return;
		const isNew = effect === "new" && message.direction === "incoming";
		if (isNew) announce(`${nameOf(this.chat ?? this)}: ${summary(message)}`);
		if ((isNew && !this.#stuck) || (effect === "beyond" && !this.#timeline.lateAbove)) this.#missed++;
		this.#redraw();
		this.#scrolled();
	}

	// Called when the sessions have changed.
	learned() {
		this.head.draw();
		this.pane.learned();
		this.#redraw();
	}

	// Keeps the scroll position: the end, or the same message.
	#redraw() {
		if (this.#ended) return;
		const stuck = this.#stuck;
		this.#list.keepPlace(this.scroll, () => this.#draw());
		if (stuck) this.#toBottom();
	}

	// Reloads the same position after a gap or a merge.
	async reload() {
		const anchor = this.#stuck ? null : this.#list.firstVisible(this.scroll);
		this.pane.update();
		await this.open(anchor?.message_id);
		this.#found = null;
		this.#draw();
	}

	focus() {
		if (matchMedia("(pointer: coarse)").matches || !this.composer.text) this.scroll.focus({ preventScroll: true });
		else this.composer.focus();
	}

	#draw() {
		const { outbox } = this.facts;
		for (const one of outbox.letters(this.key)) if (one.answer && this.#timeline.find(one.answer.send_id)) outbox.discard(one);
		this.#list.draw({ letters: outbox.letters(this.key), divider: this.#divider, found: this.#found, name: nameOf(this.chat ?? this), receipts: this.facts.receipts(this.session), source: (id) => sourceName(this.facts.sessions, id) });
	}

	// Scrolls to a message, and loads it if necessary.
	jump(id) {
		if (!this.#timeline.find(id)) return this.open(id);
		this.#found = id;
		this.#draw();
		return this.#list.item(this.#timeline.find(id))?.scrollIntoView({ block: "center" });
	}

	#actions = {
		actions: (message) => actionsOf(message, this),
		reconcile, jump: (id) => this.jump(id),
		resend: (message) => this.#send({ text: message.message_text, file: null }),
		retry: (message) => this.facts.outbox.retry(message),
		discard: (message) => this.facts.outbox.discard(message),
		dismiss: (message) => this.facts.outbox.dismiss(message),
		versions: async (message) => {
			const answer = message.versions ? null : await this.#ask({ around: message.message_id, limit: 2, versions: true }).catch(complain);
			message.versions = answer?.messages.find((one) => one.id === message.id)?.versions ?? null;
			this.#redraw();
		},
	};

	async #send(letter) {
		const sent = this.facts.outbox.send({ session: this.session, address: this.address, ...letter });
		if (this.#timeline.after !== null) await this.open();
		this.#draw();
		this.#toBottom();
		await sent;
	}

	#freshen(page) {
		for (const message of page.messages) {
			this.facts.outbox.settle(message);
			this.#timeline.update(message);
		}
		this.#redraw();
	}

	#toBottom() {
		this.scroll.scrollTop = this.scroll.scrollHeight;
	}

	#scrolled() {
		const { scrollTop, scrollHeight, clientHeight } = this.scroll;
		const distance = scrollHeight - scrollTop - clientHeight;
		this.#stuck = this.#timeline.after === null && distance < 40;
		if (this.#stuck) this.#missed = 0;
		this.down.hidden = this.#stuck || (distance < 400 && this.#timeline.after === null && !this.#missed);
		if (!this.down.hidden) this.down.replaceChildren(this.#missed ? h("b", number(this.#missed)) : "", icon("down", t(this.#missed ? "new_messages" : "to_newest", { count: this.#missed })));
		this.#fill();
	}
}
