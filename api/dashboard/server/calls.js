// Calls the API with the cookie of the sign-in, and reports errors as one of three kinds.

import { t } from "../page/language.js";
import { queryOf } from "../page/route.js";
import { describe } from "./failures.js";

export class Refused extends Error {
	constructor(status, code, sentence) {
		super(sentence);
		Object.assign(this, { status, code });
	}
}

export class Unreachable extends Error {
	constructor() {
		super(t("unreachable"));
	}
}

const PATIENCE = 20_000; // ms to wait for an answer
const SENDING = 75_000; // ms to wait for the answer of a send, because a gateway may take 50 s for a video
const UPLOADING = 600_000; // ms to wait for the upload of a file

let csrf = "";
let whenSignedOut = () => {};

export function onSignedOut(listener) {
	whenSignedOut = listener;
}

// Returns who is signed in, with a token that was just entered or by the cookie.
export async function signIn(token) {
	const init = token ? { method: "POST", headers: { authorization: `Bearer ${token}` } } : {};
	const caller = await call("/api/session", init);
	csrf = caller.csrf;
	return caller;
}

// Returns the owner of a token, or who is signed in. Null if nobody is.
export async function whoIs(token) {
	return call("/api/session", token ? { headers: { authorization: `Bearer ${token}` } } : {}).catch(() => null);
}

// Returns the available ways to sign in: {single_sign_on}.
export async function waysIn() {
	return call("/sign-in", {});
}

export async function signOut() {
	await remove("/api/session");
}

export async function get(path, parameters = {}, signal) {
	const query = queryOf(parameters);
	return call(query.size ? `${path}?${query}` : path, { signal }, true);
}

export async function post(path, body, headers = {}) {
	const isForm = body instanceof FormData;
	const type = isForm ? {} : { "content-type": "application/json" };
	const patience = isForm ? UPLOADING : path === "/api/send" ? SENDING : PATIENCE;
	return write(path, { method: "POST", body: isForm ? body : JSON.stringify(body), headers: { ...type, ...headers }, patience });
}

export async function patch(path, body, method = "PATCH") {
	return write(path, { method, body: JSON.stringify(body), headers: { "content-type": "application/json" } });
}

export async function remove(path, body) {
	return patch(path, body, "DELETE");
}

async function write(path, init) {
	const signed = () => ({ ...init, headers: { ...init.headers, "x-csrf-token": csrf } });
	try {
		return await call(path, signed(), true);
	} catch (error) {
		// Somebody signed in again in another tab.
		if (error.code !== "csrf") throw error;
		await signIn();
		return call(path, signed(), true);
	}
}

async function call(path, { patience = PATIENCE, signal, ...init }, isInside = false) {
	const signals = [signal, AbortSignal.timeout(patience)].filter(Boolean);
	let answer;
	let text;
	try {
		answer = await fetch(path, { cache: "no-cache", ...init, signal: AbortSignal.any(signals) });
		text = await answer.text();
	} catch (error) {
		if (signal?.aborted) throw error;
		throw new Unreachable();
	}
	let body = null;
	try {
		body = JSON.parse(text);
	} catch {
		// A proxy between the browser and the server answered instead of the server.
	}
	if (body?.success) return body.data;
	if (answer.status === 401 && isInside) whenSignedOut();
	// A failed send is an answer too, because it contains data.
	if (body?.data) return body.data;
	if (!body && answer.status >= 500) throw new Unreachable();
	throw new Refused(answer.status, body?.code ?? "", describe(body?.code, answer.status));
}

// Returns `/api/chats/…` for an address, which may be any text, and for its session unless that is a parameter of `get`.
export function chatPath(address, rest = "", session = "") {
	return `/api/chats/${encodeURIComponent(address)}${rest}${session && `?${queryOf({ session_id: session })}`}`;
}
