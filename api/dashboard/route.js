// Where the reader is: behind the #, so that no address and no message id gets into the log of a server.

export function read() {
	const [path, query = ""] = location.hash.slice(1).split("?");
	const [view, session, address] = path.split("/").filter(Boolean).map(decode);
	if (view === "operations") return { view };
	if (view === "chat" && address) return { view, session, address, at: new URLSearchParams(query).get("at") };
	return { view: "chats" };
}

function decode(part) {
	try {
		return decodeURIComponent(part);
	} catch {
		return part;
	}
}

export function toChat(session, address, at) {
	const query = at ? `?${new URLSearchParams({ at })}` : "";
	return `#/chat/${encodeURIComponent(session)}/${encodeURIComponent(address)}${query}`;
}

export function go(hash) {
	if (location.hash !== hash) location.hash = hash;
}

// The token of the link that ./run prints, taken out of the address bar and this tab's history before anything else.
export function takeToken() {
	const match = /^#token=(.+)$/.exec(location.hash);
	if (!match) return null;
	history.replaceState(null, "", location.pathname);
	return decode(match[1]);
}
