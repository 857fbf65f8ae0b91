// Begins: takes the token, signs in, and puts the two sides of the page together.

import { Unreachable, get, onSignedOut, signIn, signOut } from "./calls.js";
import { Conversation } from "./conversation.js";
import { h } from "./element.js";
import { icon } from "./icons.js";
import { language, languages, t } from "./language.js";
import { complain, menu } from "./overlay.js";
import { go, read, takeToken, toChat } from "./route.js";
import { Side } from "./side.js";
import { door, wall } from "./signin.js";
import { Stream } from "./stream.js";

const app = document.getElementById("app");
const token = takeToken();
// A link with a token may also be opened where the page is open already.
addEventListener("hashchange", () => {
	const another = takeToken();
	if (another) start(another);
});
document.documentElement.lang = language;

let page = null;

async function start(given) {
	page?.close();
	page = null;
	try {
		page = new Page(await signIn(given));
	} catch (error) {
		if (error instanceof Unreachable || error.status === 503) return wall(app, () => start(given));
		// 401 without a token is not worth a word: nobody has signed in yet.
		door(app, start, error.status !== 401 ? error.message : given && t("wrong_token"));
	}
	return null;
}

onSignedOut(() => {
	page?.close();
	page = null;
	door(app, start, t("signed_out"));
});

class Page {
	#view = null;
	#ended = new AbortController();

	constructor(caller) {
		this.facts = { scopes: caller.scopes, sessions: [], receipts: (id) => receipts(this.facts.sessions, id) };
		this.notice = h("div.notice", { role: "status", hidden: true });
		this.side = new Side({ facts: this.facts, menu: this.#bar() });
		this.main = h("main", { tabindex: -1 });
		this.shell = h("div.shell", h("button.skip", { click: () => (this.#view ?? this.main).focus() }, t("skip")), this.notice, this.side.element, this.main);
		app.replaceChildren(this.shell);
		const { signal } = this.#ended;
		addEventListener("hashchange", () => this.#route(), { signal });
		addEventListener("keydown", (event) => this.#key(event), { signal });
		this.side.reload();
		this.#learn();
		this.#route();
		this.stream = new Stream({ change: (change) => this.#change(change), state: (live) => this.#live(live), gap: () => (this.side.reload(), this.#view?.reload?.()) });
	}

	close() {
		this.#ended.abort();
		this.stream.close();
		this.#view?.close();
	}

	async #learn() {
		const told = await get("/api/sessions").catch(() => null);
		if (!told) return;
		this.facts.sessions = told.sessions;
		this.side.learned();
		this.#view?.head?.draw();
	}

	#bar() {
		const another = ({ target }) => (localStorage.setItem("language", target.value), location.reload());
		const choice = h("label", t("language"), h("select", { change: another }, Object.entries(languages).map(([value, name]) => h("option", { value, selected: value === language }, name))));
		const leave = () => signOut().catch(complain).then(() => start());
		const operations = h("a.quiet", { href: "#/operations", "aria-label": t("operations"), title: t("operations") }, icon("chart"));
		return h("header.bar", h("h1", h("img", { src: "/assets/icon.svg", alt: "" }), t("history")), operations, ...menu("more", t("settings"), () => [choice, [t("sign_out"), "back", leave]]));
	}

	#route() {
		const { view, session, address, at } = read();
		if (session && this.#view?.session === session && this.#view.address === address) return at && this.#view.open(at);
		this.#view?.close();
		this.#view = null;
		this.side.choose(session, address);
		this.shell.dataset.pane = view === "chats" ? "side" : "main";
		document.title = t("history");
		if (view === "chat") {
			this.#view = new Conversation({ chat: this.side.find(session, address), session, address, facts: this.facts });
			this.#view.open(at);
		} else if (view === "operations") return this.#operate();
		if (this.#view) this.#put();
		else this.main.replaceChildren(h("div.blank", icon("chat"), h("h2", t("choose_chat"))));
	}

	#put() {
		this.main.replaceChildren(this.#view.element);
		this.#view.focus();
	}

	// Few readers ever ask for it, so it is loaded when one does.
	async #operate() {
		const { Operations } = await import("./operations.js");
		if (read().view !== "operations" || this.#ended.signal.aborted || this.#view) return;
		this.#view = new Operations({ facts: this.facts });
		this.#put();
	}

	#change(change) {
		if (change.chat) this.side.tell(change.chat);
		if (change.kind === "session") this.#learn();
		// One chat became two, or two became one: which rows are to go is not told.
		if (change.kind === "merge") this.side.reload();
		const view = this.#view;
		if (view?.address && view.session === change.session_id) {
			if (change.kind === "merge") view.reload();
			else if (view.address === change.address) view.tell(change);
		}
	}

	#live(live) {
		if (live && this.side.chats.error) this.side.reload();
		this.notice.hidden = live;
		this.notice.textContent = live ? "" : t("offline");
	}

	#key(event) {
		if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
			event.preventDefault();
			if (this.shell.dataset.pane === "main" && matchMedia("(max-width: 759px)").matches) go("#/");
			this.side.focusSearch();
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

// Whether a session's gateway has ever told how far a message got; null: not known.
function receipts(sessions, id) {
	const session = sessions.find((one) => one.session_id === id);
	return session ? !session.never_seen.includes("status.change") || Boolean(session.events["message.status"]) : null;
}

start(token);
