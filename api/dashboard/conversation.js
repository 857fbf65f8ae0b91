// One conversation, open: loaded in pages both ways, kept up to date by the stream, marked as read by being seen.

import { bubble, summary } from "./bubble.js";
import { Refused, Unreachable, chatPath, get } from "./calls.js";
import { Composer } from "./composer.js";
import { head } from "./conversationhead.js";
import { h } from "./element.js";
import { icon } from "./icons.js";
import { day, dayOf, number, t } from "./language.js";
import { between, outageItem } from "./outages.js";
import { ask, toast } from "./overlay.js";
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
	#loading = false;
	#ended = false;
	#page = 0;

	constructor({ chat, session, address, facts }) {
		Object.assign(this, { chat, session, address, facts });
		this.path = chatPath(address);
		this.list = h("ol.messages");
		this.scroll = h("div.scroll", { tabindex: 0, role: "region", "aria-label": t("messages"), scroll: () => this.#scrolled() }, this.list);
		this.down = h("button.down", { hidden: true, click: () => this.toEnd() });
		this.strip = h("div.strip", { hidden: true });
		this.header = h("header");
		this.composer = this.#makeComposer();
		this.element = h("section.conversation", { "aria-label": t("conversation") }, this.header, this.strip, h("div.stage", this.scroll, this.down), this.composer.element);
		this.reading = new Reading({ scroll: this.scroll, timeline: this.#timeline, path: this.path, session, onPage: (page) => this.#freshen(page), onRefused: (error) => this.#readRefused(error) });
		this.sized = new ResizeObserver(() => this.#stuck && this.#toBottom());
		this.sized.observe(this.scroll);
		this.#stuck = false;
		this.drawHead();
	}

	#stuck = false; // at the live end, where new messages push the rest up

	close() {
		this.#ended = true;
		this.reading.close();
		this.sized.disconnect();
	}

	get isGroup() {
		return this.address.endsWith("@g.us");
	}

	// The newest messages, or those around one; at first unread where something is.
	async open(at) {
		const unread = this.chat?.unread_count ?? 0;
		const page = ++this.#page;
		this.#loading = true;
		if (!this.#timeline.messages.length) this.list.replaceChildren(h("li.edge", t("loading")));
		try {
			const limit = at ? PAGE : Math.min(Math.max(PAGE, unread + 10), UNREAD_MOST);
			const place = at instanceof Date ? { at: at.getTime() } : at ? { around: at } : {};
			const told = await get(this.path, { session_id: this.session, limit, ...place });
			if (this.#ended || page !== this.#page) return;
			if (told.address !== this.address) return go(toChat(this.session, told.address, at));
			this.#start(told, at);
		} catch (error) {
			if (this.#ended || page !== this.#page) return;
			if (error instanceof Refused && error.code === "message_not_found") {
				toast(t("message_not_here"));
				this.#loading = false;
				return this.open();
			}
			this.#failed(error, () => this.open(at));
		} finally {
			if (page === this.#page) this.#loading = false;
		}
	}

	#start(told, at) {
		this.#timeline.start(told);
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
		this.#fill();
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
			const told = await get(this.path, { session_id: this.session, limit: PAGE, [side]: this.#timeline[side] });
			if (this.#ended || page !== this.#page) return;
			if (side === "before") this.#timeline.addOlder(told);
			else this.#timeline.addNewer(told);
			if (side === "before" && this.#timeline.before === null) this.reading.blocked = false;
			this.#keepingPlace(() => this.#draw());
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
			this.drawHead();
		}
		if (change.kind === "read") return this.#readElsewhere();
		const message = change.message;
		if (!message) return;
		this.#adopt(message);
		const told = this.#timeline.tell(message);
		if (told === null) return;
		if (told === "beyond") {
			if (message.timestamp >= (this.#timeline.messages.at(-1)?.timestamp ?? 0)) this.#missed++;
		} else if (told === "new" && message.direction === "incoming") {
			this.#announce(message);
			if (!this.#stuck) this.#missed++;
		}
		const stuck = this.#stuck;
		this.#keepingPlace(() => this.#draw());
		if (stuck) this.#toBottom();
		this.#scrolled();
	}

	// After a gap or a merge: the same place, told anew.
	async reload() {
		const anchor = this.#stuck ? null : this.#firstVisible();
		await this.open(anchor?.message_id);
		this.#found = null;
		this.#draw();
	}

	toEnd() {
		if (this.#timeline.after !== null) return this.open();
		this.#toBottom();
		this.#scrolled();
		return null;
	}

	drawHead() {
		head(this);
	}

	focus() {
		if (matchMedia("(pointer: coarse)").matches || !this.composer.text) this.scroll.focus({ preventScroll: true });
		else this.composer.focus();
	}

	#announce(message) {
		const name = nameOf(this.chat ?? this);
		document.getElementById("live").textContent = t("new_from", { name, text: summary(message) });
	}

	#draw() {
		const messages = [...this.#timeline.messages, ...this.#outbox];
		const nodes = [];
		const outages = [...this.#timeline.outages.values()];
		const receipts = this.facts.receipts(this.session);
		let previous = null;
		if (!messages.length) nodes.push(this.#fixed("none", () => h("li.edge", t("no_messages"))));
		else if (this.#timeline.before === null) nodes.push(this.#fixed("begin", () => h("li.edge", t("begins_here"))));
		const kept = new Set();
		for (const message of messages) {
			const key = keyOf(message);
			const isNewDay = !previous || dayOf(previous.timestamp) !== dayOf(message.timestamp);
			for (const outage of previous ? between(outages, previous.timestamp, message.timestamp) : []) nodes.push(this.#fixed(`outage${outage.from}`, () => outageItem(outage), kept));
			if (isNewDay) nodes.push(this.#fixed(`day${dayOf(message.timestamp)} ${day(message.timestamp)}`, () => h("li.day", h("span", day(message.timestamp))), kept));
			if (key === this.#divider) nodes.push(this.#fixed("since", () => h("li.since", t("unread_from_here")), kept));
			const follows = !isNewDay && key !== this.#divider && previous.direction === message.direction && previous.sender === message.sender && previous.sender_name === message.sender_name && message.timestamp - previous.timestamp < TOGETHER;
			nodes.push(this.#item(message, key, follows, receipts));
			kept.add(key);
			previous = message;
		}
		for (const outage of this.#timeline.after === null && previous ? between(outages, previous.timestamp, Infinity) : []) nodes.push(this.#fixed(`outage${outage.from}`, () => outageItem(outage), kept));
		for (const key of ["none", "begin"]) kept.add(key);
		for (const key of this.#items.keys()) if (!kept.has(key)) this.#items.delete(key);
		place(this.list, nodes);
		this.#drawStrip();
	}

	#fixed(key, make, kept) {
		kept?.add(key);
		if (!this.#items.has(key)) this.#items.set(key, { li: make() });
		return this.#items.get(key).li;
	}

	#item(message, key, follows, receipts) {
		const quoted = message.reply_to ? this.#timeline.find(message.reply_to) : null;
		const found = this.#found !== null && (message.message_id === this.#found || message.send_id === this.#found);
		const known = this.#items.get(key);
		const look = `${follows} ${found} ${message.status} ${receipts} ${quoted?.rev}`;
		if (known && known.message === message && known.look === look) return known.li;
		const li = bubble(message, { key, follows, found, quoted, receipts, group: this.isGroup, name: nameOf(this.chat ?? this), on: this.#actions });
		this.reading.watch(li, message);
		this.#items.set(key, { li, message, look });
		return li;
	}

	#actions = {
		jump: (id) => {
			if (!this.#timeline.find(id)) return this.open(id);
			this.#found = id;
			this.#draw();
			this.#items.get(keyOf(this.#timeline.find(id)))?.li.scrollIntoView({ block: "center" });
			return null;
		},
		resend: async (message, doubtful) => {
			if (doubtful && !(await ask(t("send_again_anyway"), { body: [h("p", t("may_come_twice"))], confirm: t("send_again") }))) return;
			this.#send({ text: message.message_text, file: null });
		},
		retry: (message) => this.#try(message),
		reconcile: async (message) => {
			try {
				const told = await reconcile(message);
				toast(told.explanation ?? t(`status_${told.status}`));
			} catch (error) {
				toast(error.message);
			}
		},
	};

	#makeComposer() {
		const { scopes } = this.facts;
		let reason = null;
		if (!scopes.includes("write")) reason = t("cannot_write_scope");
		else if (this.address.includes("@")) reason = this.isGroup ? t("cannot_send_group") : this.address.endsWith("@lid") ? t("cannot_send_lid") : t("cannot_send_here");
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
			if (this.#timeline.has(told.send_id)) this.#outbox = this.#outbox.filter((other) => other !== one);
			else Object.assign(one, { status: told.status, reason: told.reason, send_id: told.send_id, local: false });
		} catch (error) {
			if (error instanceof Unreachable) one.status = "unknown";
			else Object.assign(one, { status: "failed", reason: error.message, local: false });
		}
		if (this.#ended) return;
		const stuck = this.#stuck;
		this.#draw();
		if (stuck) this.#toBottom();
	}

	// The server's own row of what is being sent from here takes the place of ours.
	#adopt(message) {
		if (message.direction !== "outgoing" || !message.send_id || this.#timeline.has(message.send_id)) return;
		const mine = this.#outbox.find((one) => one.told === message.send_id || (!one.told && one.message_text === message.message_text && one.caption === message.caption && one.message_type === message.message_type && message.timestamp > one.begun - 60_000));
		if (mine) this.#outbox = this.#outbox.filter((one) => one !== mine);
	}

	#freshen(page) {
		for (const message of page.messages) {
			this.#adopt(message);
			this.#timeline.tell(message);
		}
		const stuck = this.#stuck;
		this.#keepingPlace(() => this.#draw());
		if (stuck) this.#toBottom();
	}

	#readElsewhere() {
		if (this.chat?.unread_count === 0) {
			for (const one of this.#timeline.messages) one.unread = false;
			this.reading.blocked = this.#timeline.lateAbove = false;
			this.#drawStrip();
		}
	}

	#readRefused(error) {
		if (error instanceof Refused && error.status === 410) this.open();
		else if (error instanceof Refused && error.status !== 403) toast(error.message);
	}

	#drawStrip() {
		const count = this.chat?.unread_count ?? 0;
		const above = (this.reading.blocked || this.#timeline.lateAbove) && count > 0;
		this.strip.hidden = !above;
		if (!above) return;
		const read = async () => {
			await this.reading.everything().catch((error) => toast(error.message));
			this.#drawStrip();
		};
		this.strip.replaceChildren(h("span", t("unread_above", { count })), h("button.button.small", { click: read }, t("mark_all_read")));
	}

	#keepingPlace(change) {
		const anchor = this.#firstVisible();
		const li = anchor && this.#items.get(keyOf(anchor))?.li;
		const before = li?.getBoundingClientRect().top;
		change();
		const now = anchor && this.#items.get(keyOf(anchor))?.li;
		if (now?.isConnected) this.scroll.scrollTop += now.getBoundingClientRect().top - before;
	}

	#firstVisible() {
		const top = this.scroll.getBoundingClientRect().top;
		return this.#timeline.messages.find((one) => {
			const li = this.#items.get(keyOf(one))?.li;
			return li?.isConnected && li.getBoundingClientRect().bottom > top;
		});
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

	#failed(error, again) {
		const told = error.message;
		this.list.replaceChildren(h("li.edge", h("p", told), h("button.button", { click: again }, t("try_again"))));
	}
}

// Put the nodes into the list in their order, and touch only what moved.
function place(list, nodes) {
	const wanted = new Set(nodes);
	for (const child of [...list.children]) if (!wanted.has(child)) child.remove();
	let next = list.firstChild;
	for (const node of nodes) {
		if (node === next) next = next.nextSibling;
		else list.insertBefore(node, next);
	}
}
