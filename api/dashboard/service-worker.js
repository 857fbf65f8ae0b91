// Caches the page itself on the device, so that it opens without a connection. It never caches answers of the API.
// The server prepends VERSION and NAMES. A new version replaces the cache of this one.

const FILES = ["/", ...NAMES.split(" ").map((name) => `/assets/${name}`)];
const CACHE = `shell-${VERSION}`;
const NEW_MESSAGE = location.search === "?hi" ? "नया संदेश" : "New message";
const MAX_TOLD = 100; // ids of shown messages to remember, because a message may arrive twice

self.addEventListener("install", (event) => {
	const fresh = FILES.map((path) => new Request(path, { cache: "reload" }));
	event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(fresh)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
	const removeOld = async () => {
		for (const name of await caches.keys()) if (name !== CACHE) await caches.delete(name);
		await self.clients.claim();
	};
	event.waitUntil(removeOld());
});

// Uses the server's page if it answers, so that an upgrade is visible at once. Files of this version are not asked for again.
self.addEventListener("fetch", (event) => {
	const { pathname, origin, search } = new URL(event.request.url);
	const path = [pathname, pathname.replace(/^(.assets.)[^/]+\//, "$1")].find((one) => FILES.includes(one));
	if (event.request.method !== "GET" || origin !== location.origin || search || !path) return;
	const kept = async (otherwise) => (await caches.match(path, { cacheName: CACHE })) ?? otherwise();
	const ask = () => fetch(event.request).then((answer) => (answer.status < 500 ? answer : kept(() => answer)), () => kept(() => Response.error()));
	event.respondWith(pathname.includes(VERSION) ? kept(ask) : ask());
});

// Sent by the server when no page may be open, or by a page.
self.addEventListener("push", (event) => event.waitUntil(show(event.data?.json() ?? {})));
self.addEventListener("message", (event) => event.waitUntil(show(event.data)));

const pages = () => self.clients.matchAll({ type: "window", includeUncontrolled: true });
const told = [];

async function show({ session, address, id, name, text, sound }) {
	if (!address || told.includes(id)) return;
	told.push(id);
	if (told.length > MAX_TOLD) told.shift();
	if ((await pages()).some((page) => page.focused)) return;
	const title = name || (/^\d+$/.test(address) ? `+${address}` : address.split("@")[0]);
	const data = { hash: `#/chat/${encodeURIComponent(session)}/${encodeURIComponent(address)}` };
	await self.registration.showNotification(title, { body: text || NEW_MESSAGE, tag: `${session}\n${address}`, silent: !sound, renotify: Boolean(sound), icon: "/assets/icon.png", data });
}

self.addEventListener("notificationclick", (event) => {
	const { hash } = event.notification.data;
	event.notification.close();
	const lead = async () => {
		const [page] = await pages();
		if (!page) return self.clients.openWindow(`/${hash}`);
		page.postMessage({ hash });
		return page.focus();
	};
	event.waitUntil(lead());
});
