// Encodes the reader's place behind the #, so that no address and no message id appears in the log of a server.

export function read() {
	const [path, query = ""] = location.hash.slice(1).split("?");
	const [view, session, address] = path.split("/").filter(Boolean).map(decode);
	const place = Object.fromEntries(new URLSearchParams(query));
	if (["operations", "today", "start", "people"].includes(view)) return { view, place };
	if (view === "chat" && address) return { view, session, address, at: place.at, q: place.q };
	return { view: "chats", filter: query ? place : null };
}

function decode(part) {
	try {
		return decodeURIComponent(part);
	} catch {
		return part;
	}
}

// at: a message. q: the words of the search that found it.
export function toChat(session, address, at, q) {
	const query = at ? `?${queryOf({ at, q })}` : "";
	return `#/chat/${encodeURIComponent(session)}/${encodeURIComponent(address)}${query}`;
}

// Encodes a list of chats: {since, until, direction, answered, waiting, unread, session_id}, all optional.
export function toList(filter) {
	return `#/?${queryOf(filter)}`;
}

// Encodes {by, session_id}.
export function toToday(place) {
	return `#/today?${queryOf(place)}`;
}

// Encodes the values that are given.
export function queryOf(values) {
	return new URLSearchParams(Object.entries(values).filter(([, value]) => value || value === 0));
}

export function go(hash) {
	if (location.hash !== hash) location.hash = hash;
}

// Returns the token of the link that ./run prints, and first removes it from the address bar and the history of this tab.
export function takeToken() {
	const match = /^#token=(.+)$/.exec(location.hash);
	if (!match) return null;
	history.replaceState(null, "", location.pathname);
	return decode(match[1]);
}

// Returns why single sign-on failed, as a part of a key of texts/people.js.
export function takeRefusal() {
	const match = /^#refused=sso_(declined|invalid|not_allowed)?/.exec(location.hash);
	if (match) history.replaceState(null, "", location.pathname);
	return match && (match[1] ?? "unavailable");
}
