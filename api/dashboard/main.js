// Starts the page: reads the token, signs in, and assembles the two sides.

import * as alerts from "./alerts/alerts.js";
import { end, renew } from "./alerts/push.js";
import { Conversation } from "./conversation/conversation.js";
import { Side } from "./list/side.js";
import { h } from "./page/element.js";
import { icon } from "./page/icons.js";
import { install } from "./page/installing.js";
import { clock, language, languages, t, time } from "./page/language.js";
import { closeDialog, complain, menu, toast } from "./page/overlay.js";
import { callerName, receipts } from "./page/people.js";
import { go, read, takeRefusal, takeToken, toChat } from "./page/route.js";
import * as title from "./page/title.js";
import { Unreachable, get, onSignedOut, signIn, signOut, whoIs } from "./server/calls.js";
import { Outbox } from "./server/outbox.js";
import { Stream } from "./server/stream.js";
import { door, question, wall } from "./views/signin.js";

// Modules that the first view does not need. They are loaded right after it, so that they open offline too.
const LATER = {
	start: () => import("./views/start.js").then(({ Start }) => Start),
	operations: () => import("./views/operations.js").then(({ Operations }) => Operations),
	today: () => import("./views/today.js").then(({ Today }) => Today),
	shortcuts: () => import("./views/shortcuts.js").then(({ open }) => open),
	exporting: () => import("./conversation/exporting.js"),
	people: () => import("./views/access.js").then(({ Access }) => Access),
	alerts: () => import("./alerts/settings.js").then(({ open }) => open),
};
const PAUSE = 5000; // ms after which a failed view is requested again

const app = document.getElementById("app");
const token = takeToken();
const refusal = takeRefusal();
// A link with a token may be opened while the page is already open.
addEventListener("hashchange", () => {
	const another = takeToken();
	if (another) follow(another);
});
document.documentElement.lang = language;

let page = null;

// A stranger may have sent the link. Messages written after it would be sent under another identity.
async function follow(given) {
	const [present, linked] = await Promise.all([whoIs(), whoIs(given)]);
	if (!present || !linked || present.name === linked.name) return start(given);
	page?.close();
	page = null;
	question(app, [present, linked].map((one) => callerName(one.name)), () => start(given), () => start());
	return null;
}

async function start(given) {
	page?.close();
	page = null;
	try {
		page = new Page(await signIn(given));
	} catch (error) {
		if (error instanceof Unreachable || error.status === 503) return wall(app, () => start(given));
		// 401 without a token is not reported, because nobody has signed in yet.
		door(app, start, error.status !== 401 ? error.message : given ? t("wrong_token") : refusal && t(`sso_${refusal}`));
	}
	return null;
}

onSignedOut(() => {
	page?.close();
	page = null;
	end().catch(() => {});
	door(app, start, t("signed_out"));
});

class Page {
	#view = null;
	#routes = 0;
	#ended = new AbortController();

	constructor(caller) {
		const { signal } = this.#ended;
		const outbox = new Outbox(caller.name, signal);
		const may = Object.fromEntries(caller.scopes.map((scope) => [scope, true]));
		this.facts = { may, seesAll: !caller.sessions, outbox, sessions: [], receipts: (id) => receipts(this.facts.sessions, id) };
		this.notice = h("div.notice", { role: "status", hidden: true });
		this.side = new Side({ facts: this.facts, menu: this.#bar(), onCount: ({ unread }) => title.unread(unread), onEmpty: (isEmpty) => this.#empty(isEmpty) });
		this.main = h("main", { tabindex: -1 });
		this.shell = h("div.shell", h("button.skip", { click: () => (this.#view ?? this.main).focus() }, t("skip")), this.notice, this.side.element, this.main);
		app.replaceChildren(this.shell);
		addEventListener("hashchange", () => (closeDialog(), this.#route()), { signal });
		addEventListener("keydown", (event) => this.#key(event), { signal });
		this.retrying = setInterval(() => this.#view?.again?.(), PAUSE);
		if (alerts.isOn()) renew().catch(() => {}); // Asked again when the page is opened next.
		// Another tab has chosen another language.
		addEventListener("storage", ({ key }) => key === "language" && location.reload(), { signal });
		this.stream = new Stream({ change: (change) => this.#change(change), state: (live, since) => this.#live(live, since), listens: alerts.isOn, begin: () => this.#load() });
	}

	// Loads everything after the stream has begun, so that no change falls between the two, or again if the stream begins anew.
	#load() {
		const listed = this.side.reload();
		if (this.loaded) this.#view?.reload?.();
		this.loaded ??= listed.then(() => Object.values(LATER).forEach((load) => load().catch(() => {})));
		if (!this.#view) this.#route();
		alerts.closeRead().catch(() => {});
	}

	close() {
		this.#ended.abort();
		closeDialog();
		clearInterval(this.retrying);
		this.side.close();
		this.stream.close();
		this.#view?.close();
		title.page("");
		title.unread(0);
	}

	async #learn() {
		const answer = await get("/api/sessions").catch(() => null);
		if (!answer) return;
		this.facts.sessions = answer.sessions;
		this.side.learned();
		this.#view?.learned?.();
	}

	#bar() {
		const another = ({ target }) => (localStorage.setItem("language", target.value), location.reload());
		const choice = h("label", t("language"), h("select", { change: another }, Object.entries(languages).map(([value, name]) => h("option", { value, selected: value === language }, name))));
		const leave = () => end().catch(() => {}).then(signOut).then(() => start(), complain);
		const erase = [t("sign_out_and_erase"), "close", () => (this.facts.outbox.clear(), leave())];
		const notifications = () => LATER.alerts().then((open) => open(), complain);
		const to = (view, name) => h("a.quiet", { href: `#/${view}`, "aria-label": t(view), title: t(view) }, icon(name));
		const people = this.facts.may.admin ? [[t("people"), "group", () => go("#/people")]] : [];
		return h("header.bar", h("h1", h("img", { src: "/assets/icon.svg", alt: "" }), t("history")), to("today", "calendar"), to("operations", "chart"), ...menu("more", t("settings"), () => [choice, ...people, [t("notifications"), "bell", notifications], [t("sign_out"), "back", leave], ...(this.facts.outbox.isEmpty ? [] : [erase])]));
	}

	#route() {
		if (!this.loaded) return; // #load follows.
		const { view, session, address, at, q, filter, place } = read();
		if (view === "people" && !this.facts.may.admin) return go("#/");
		if (session && this.#view?.session === session && this.#view.address === address) return at && this.#found(at, q);
		this.#routes++;
		this.#view?.close();
		this.#view = null;
		this.side.choose(session, address);
		this.shell.dataset.pane = view === "chats" ? "side" : "main";
		title.page("");
		if (view === "chat") {
			this.#view = new Conversation({ chat: this.side.find(session, address), session, address, facts: this.facts });
			this.#found(at, q);
		}
		if (filter) this.side.show(filter);
		if (LATER[view]) this.#later(view, place);
		else if (this.#view) this.#put();
		else if (this.isEmpty) this.#later("start");
		else this.main.replaceChildren(h("div.blank", icon("chat"), h("h2", t("choose_chat"))));
	}

	// Opens the conversation at a message, with the words of the search that found it.
	#found(at, q) {
		this.#view.open(at);
		if (q) this.#view.head.find.open(q, at);
	}

	// Called with true if there are no chats at all.
	#empty(isEmpty) {
		const hasChanged = isEmpty !== Boolean(this.isEmpty);
		this.isEmpty = isEmpty;
		if (hasChanged && read().view === "chats") this.#route();
	}

	async #later(view, place) {
		const route = this.#routes;
		const View = await LATER[view]().catch(complain);
		if (!View || route !== this.#routes || this.#ended.signal.aborted) return;
		this.#view = new View({ facts: this.facts, place });
		this.#put();
	}

	#put() {
		this.main.replaceChildren(this.#view.element);
		// Elements that appear by themselves do not take the focus.
		if (read().view !== "chats") this.#view.focus();
	}

	#change(change) {
		if (change.chat) this.side.update(change.chat);
		alerts.tell(change);
		if (change.kind === "session") this.#learn();
		if (change.kind === "session" && !change.session_id) this.#view?.pinged?.();
		if (change.kind === "label") this.side.relabel();
		if (change.kind === "star" || change.message?.starred) this.side.restar();
		// A chat was split, or two were merged. The change does not say which rows disappear.
		if (change.kind === "merge") this.side.reload();
		const view = this.#view;
		if (view?.address && view.session === change.session_id) {
			if (change.kind === "merge") view.reload();
			else if (view.address === change.address) view.update(change);
		}
	}

	#live(live, since) {
		this.notice.hidden = live;
		if (!live && !this.loaded) this.#learn(), this.#load();
		if (!live) return this.notice.replaceChildren(h("span", t("offline_since"), " ", time(since, clock(since))), h("span", t("may_be_stale")));
		if (this.side.chats.error) this.side.reload();
		this.#view?.again?.();
		return this.facts.sessions.length || this.#learn();
	}

	async #nextWaiting() {
		const chat = await this.side.nextWaiting().catch(complain);
		if (chat) go(toChat(chat.session_id, chat.address));
		else toast(t("nobody_waits"));
	}

	#key(event) {
		if (event.isComposing || document.querySelector("dialog[open]")) return;
		const isWriting = event.target.closest?.("input, textarea, select");
		if (event.key === "?" && !isWriting) LATER.shortcuts().then((open) => open(), complain);
		else if (isLetter(event, "N") && !event.ctrlKey && !event.metaKey && (event.altKey || !isWriting)) {
			event.preventDefault();
			this.#nextWaiting();
		} else if ((event.ctrlKey || event.metaKey) && isLetter(event, "K")) {
			event.preventDefault();
			if (this.shell.dataset.pane === "main" && matchMedia("(max-width: 759px)").matches) go("#/");
			this.side.focusSearch();
		} else if ((event.ctrlKey || event.metaKey) && event.shiftKey && isLetter(event, "F") && this.#view?.head) {
			event.preventDefault();
			this.#view.head.find.open();
		} else if (event.altKey && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
			const chat = this.side.neighbour(event.key === "ArrowDown" ? 1 : -1);
			event.preventDefault();
			if (chat) go(toChat(chat.session_id, chat.address));
		} else if (event.key === "Escape" && !document.querySelector(":popover-open") && this.#view) {
			go("#/");
			this.side.rows.focus();
		}
	}
}

// Finds the key of a letter on keyboards of other scripts too, and on a Mac, where Alt changes the letter.
function isLetter({ key, code }, letter) {
	return key.toUpperCase() === letter || (!/^[!-~]$/.test(key) && code === `Key${letter}`);
}

install();
if (token) follow(token);
else start();
