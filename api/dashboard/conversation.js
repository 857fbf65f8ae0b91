// One conversation, open: loaded in pages both ways, kept up to date by the stream, marked as read by being seen.

import { bubble, summary } from "./bubble.js";
import { Unreachable, chatPath, get } from "./calls.js";
import { Composer } from "./composer.js";
import { Head } from "./conversationhead.js";
import { announce, h, place } from "./element.js";
import { icon } from "./icons.js";
import { day, dayOf, number, t } from "./language.js";
import { between, outageItem } from "./outages.js";
import { complain, toast } from "./overlay.js";
import { nameOf } from "./people.js";
import { Reading } from "./reading.js";
import { go, toChat } from "./route.js";
import { draft, reconcile, send } from "./sends.js";
import { Timeline, keyOf } from "./timeline.js";

const PAGE = 50;
const UNREAD_MOST = 300;
const NEAR = 900; // px from an end at which the next page is asked for
const TOGETHER = 300_000; // ms within which messages of one sender stand together

export class Conversation {
	#timeline = new Timeline();
	#items = new Map();
	#outbox = [];
	#divider = null; // key of the first message that was unread when the chat was opened
	#found = null;
	#missed = 0;
	#stuck = false; // at the live end, where new messages push the rest up
	#loading = false;
	#meanwhile = []; // what the stream told while a page was on its way that may not have it
	#ended = false;
	#page = 0;

	constructor({ chat, session, address, facts }) {
		Object.assign(this, { chat, session, address, facts, isGroup: address.endsWith("@g.us") });
		this.list = h("ol.messages");
		this.scroll = h("div.scroll", { tabindex: 0, role: "region", "aria-label": t("messages"), scroll: () => this.#scrolled() }, this.list);
		this.down = h("button.down", { hidden: true, click: () => (this.#timeline.after === null ? this.#toBottom() : this.open()) });
		this.head = new Head(this);
		this.composer = this.#makeComposer();
		this.element = h("section.conversation", { "aria-label": t("conversation") }, this.head.element, h("div.stage", this.scroll, this.down), this.composer.element);
		this.reading = new Reading({ scroll: this.scroll, timeline: this.#timeline, place: { session_id: session, address }, page: (page) => this.#freshen(page), refused: (error) => this.#readRefused(error) });
		this.sized = new ResizeObserver(() => this.#stuck && this.#toBottom());
		this.sized.observe(this.scroll);
		this.head.draw();
		if (!chat) this.#introduce();
	}

	close() {
		this.#ended = true;
		this.reading.close();
		this.sized.disconnect();
	}

	#ask(place) {
		return get(chatPath(this.address), { session_id: this.session, ...place });
	}

	// The newest messages, or those around one; at first unread where something is.
	async open(at) {
		const unread = this.chat?.unread_count ?? 0;
		const page = ++this.#page;
		this.#loading = true;
		this.#meanwhile = [];
		if (!this.#timeline.messages.length) this.list.replaceChildren(h("li.edge", t("loading")));
		try {
			const limit = at ? PAGE : Math.min(Math.max(PAGE, unread + 10), UNREAD_MOST);
			const told = await this.#ask({ limit, ...(at instanceof Date ? { at: at.getTime() } : { around: at }) });
			if (this.#ended || page !== this.#page) return;
			if (told.address !== this.address) return go(toChat(this.session, told.address, at));
			this.#start(told, at);
		} catch (error) {
			if (this.#ended || page !== this.#page) return;
			if (error.code === "message_not_found") return complain(error), this.open();
			this.list.replaceChildren(h("li.edge", h("p", error.message), h("button.button", { click: () => this.open(at) }, t("try_again"))));
		} finally {
			if (page === this.#page) this.#loading = false;
			this.#fill();
		}
	}

	// Who it is with, where the list that was loaded does not tell.
	async #introduce() {
		const told = await get("/api/chats", { q: this.address, session_id: this.session, limit: 9 }).catch(() => null);
		this.chat ??= told?.contacts.find((one) => one.address === this.address);
		this.head.draw();
	}

	#start(told, at) {
		this.#timeline.start(told);
		for (const message of this.#meanwhile) this.#timeline.tell(message);
		this.reading.asOf = told.as_of;
		this.#missed = 0;
		const messages = this.#timeline.messages;
		const first = messages.find((one) => one.unread);
		this.#divider = at ? this.#divider : first ? keyOf(first) : null;
		this.reading.blocked = first === messages[0] && told.before !== null && Boolean(first);
		this.#found = typeof at === "string" ? at : null;
		this.#stuck = false;
		this.#draw();
		const target = at instanceof Date ? messages.find((one) => one.timestamp >= at.getTime()) : at ? this.#timeline.find(at) : first;
		const li = target && this.#items.get(keyOf(target))?.li;
		if (li) {
			const box = this.scroll.getBoundingClientRect();
			const mine = li.getBoundingClientRect();
			this.scroll.scrollTop += mine.top - box.top - (at && !(at instanceof Date) ? (box.height - mine.height) / 2 : box.height / 4);
		} else this.#toBottom();
		this.#scrolled();
		if (!at && this.chat?.marked_unread && !this.chat.unread_count) this.reading.opened();
	}

	// Older or newer messages where the window is not full.
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
			const told = await this.#ask({ limit: PAGE, [side]: this.#timeline[side] });
			if (this.#ended || page !== this.#page) return;
			if (side === "before") this.#timeline.addOlder(told);
			else this.#timeline.addNewer(told);
			if (side === "before" && this.#timeline.before === null) this.reading.blocked = false;
			this.#redraw();
			this.#loading = false;
			this.#fill();
		} catch (error) {
			if (!this.#ended) toast(error.message);
			// Asked again when the reader scrolls.
			setTimeout(() => (this.#loading = false), 1500);
		}
	}

	// What the stream tells of this chat.
	tell(change) {
		if (change.chat) {
			this.chat = change.chat;
			this.head.draw();
		}
		if (change.kind === "read" && this.chat?.unread_count === 0) this.reading.nothingLeft();
		const message = change.message;
		if (!message) return;
		this.#adopt(message);
		if (this.#loading) this.#meanwhile.push(message);
		if (!this.reading.asOf) return;
		const told = this.#timeline.tell(message);
		if (told === null) return;
		const isNew = told === "new" && message.direction === "incoming";
		if (isNew) announce(`${nameOf(this.chat ?? this)}: ${summary(message)}`);
		if ((isNew && !this.#stuck) || (told === "beyond" && !this.#timeline.lateAbove)) this.#missed++;
		this.#redraw();
		this.#scrolled();
	}

	// The reader stays where the reader is: at the end, or at the same message.
	#redraw() {
		if (this.#ended) return;
		const stuck = this.#stuck;
		const anchor = this.#firstVisible();
		const top = () => this.#items.get(keyOf(anchor))?.li.getBoundingClientRect().top;
		const before = anchor && top();
		this.#draw();
		if (stuck) this.#toBottom();
		else if (anchor) this.scroll.scrollTop += (top() ?? before) - before;
	}

	// After a gap or a merge: the same place, told anew.
	async reload() {
		const anchor = this.#stuck ? null : this.#firstVisible();
		await this.open(anchor?.message_id);
		this.#found = null;
		this.#draw();
	}

	focus() {
		if (matchMedia("(pointer: coarse)").matches || !this.composer.text) this.scroll.focus({ preventScroll: true });
		else this.composer.focus();
	}

	#draw() {
		const messages = [...this.#timeline.messages, ...this.#outbox];
		const nodes = [];
		const kept = new Map();
		const put = (key, made) => {
			kept.set(key, made);
			nodes.push(made.li);
		};
		const fixed = (key, make) => put(key, this.#items.get(key) ?? { li: make() });
		const outages = (after, upTo) => {
			for (const one of after ? between(this.#timeline.outages.values(), after.timestamp, upTo) : []) fixed(`outage${one.from}`, () => outageItem(one));
		};
		const receipts = this.facts.receipts(this.session);
		let previous = null;
		if (!messages.length) fixed("none", () => h("li.edge", t("no_messages")));
		else if (this.#timeline.before === null) fixed("begin", () => h("li.edge", t("begins_here")));
		for (const message of messages) {
			const key = keyOf(message);
			const isNewDay = !previous || dayOf(previous.timestamp) !== dayOf(message.timestamp);
			outages(previous, message.timestamp);
			if (isNewDay) fixed(`day${dayOf(message.timestamp)} ${day(message.timestamp)}`, () => h("li.day", h("span", day(message.timestamp))));
			if (key === this.#divider) fixed("since", () => h("li.since", t("unread_from_here")));
			const follows = !isNewDay && key !== this.#divider && previous.direction === message.direction && previous.sender === message.sender && previous.sender_name === message.sender_name && message.timestamp - previous.timestamp < TOGETHER;
			put(key, this.#item(message, key, follows, receipts));
			previous = message;
		}
		if (this.#timeline.after === null) outages(previous, Infinity);
		this.#items = kept;
		place(this.list, nodes);
	}

	#item(message, key, follows, receipts) {
		const quoted = message.reply_to ? this.#timeline.find(message.reply_to) : null;
		const found = this.#found !== null && (message.message_id === this.#found || message.send_id === this.#found);
		const known = this.#items.get(key);
		const look = `${follows} ${found} ${message.status} ${receipts} ${quoted?.rev} ${Boolean(message.versions)}`;
		if (known?.message === message && known.look === look) return known;
		const li = bubble(message, { key, follows, found, quoted, receipts, group: this.isGroup, name: nameOf(this.chat ?? this), on: this.#actions });
		this.reading.watch(li, message);
		return { li, message, look };
	}

	#actions = {
		jump: (id) => {
			if (!this.#timeline.find(id)) return this.open(id);
			this.#found = id;
			this.#draw();
			this.#items.get(keyOf(this.#timeline.find(id)))?.li.scrollIntoView({ block: "center" });
			return null;
		},
		resend: (message) => this.#send({ text: message.message_text, file: null }),
		retry: (message) => this.#try(message),
		reconcile: async (message) => {
			const told = await reconcile(message).catch((error) => ({ explanation: error.message }));
			toast(told.explanation ?? t(`status_${told.status}`));
		},
		versions: async (message) => {
			const told = message.versions ? null : await this.#ask({ around: message.message_id, limit: 2, versions: true }).catch(complain);
			message.versions = told?.messages.find((one) => one.id === message.id)?.versions ?? null;
			this.#redraw();
		},
	};

	#makeComposer() {
		const { scopes } = this.facts;
		const where = this.isGroup ? "group" : this.address.endsWith("@lid") ? "lid" : "here";
		const reason = !scopes.includes("write") ? t("cannot_write_scope") : this.address.includes("@") ? t(`cannot_send_${where}`) : null;
		return new Composer({ key: `${this.session}\n${this.address}`, reason, onSend: (letter) => this.#send(letter) });
	}

	async #send(letter) {
		const one = draft({ session: this.session, address: this.address, ...letter });
		this.#outbox.push(one);
		if (this.#timeline.after !== null) await this.open();
		this.#draw();
		this.#toBottom();
		this.#try(one);
	}

	async #try(one) {
		one.status = "pending";
		one.begun ??= Date.now();
		this.#draw();
		try {
			const told = await send(one);
			one.told = told.send_id;
			if (this.#timeline.find(told.send_id)) this.#outbox = this.#outbox.filter((other) => other !== one);
			else Object.assign(one, { status: told.status, reason: told.reason, send_id: told.send_id, local: false });
		} catch (error) {
			if (error instanceof Unreachable) one.status = "unknown";
			else Object.assign(one, { status: "failed", reason: error.message, local: false });
		}
		this.#redraw();
	}

	// The server's own row of what is being sent from here takes the place of ours.
	#adopt(message) {
		if (message.direction !== "outgoing" || !message.send_id || this.#timeline.find(message.send_id)) return;
		const mine = this.#outbox.find((one) => one.told === message.send_id || (!one.told && one.message_text === message.message_text && one.caption === message.caption && one.message_type === message.message_type && message.timestamp > one.begun - 60_000));
		if (mine) this.#outbox = this.#outbox.filter((one) => one !== mine);
	}

	#freshen(page) {
		for (const message of page.messages) {
			this.#adopt(message);
			this.#timeline.tell(message);
		}
		this.#redraw();
	}

	#readRefused({ status, message }) {
		if (status === 410) this.open();
		else if (status !== 403) toast(message);
	}

	#firstVisible() {
		const top = this.scroll.getBoundingClientRect().top;
		return this.#timeline.messages.find((one) => this.#items.get(keyOf(one))?.li.getBoundingClientRect().bottom > top);
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
		if (!this.down.hidden) this.down.replaceChildren(this.#missed ? h("b", number(this.#missed)) : "", icon("down", this.#missed ? t("new_messages", { count: this.#missed }) : t("to_newest")));
		this.#fill();
	}
}
