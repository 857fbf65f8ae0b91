// Stores data on this device for its reader: short texts (synchronously), and files.

const DATABASE = "history";
const FILES = "files";

// Finds entries by a prefix, so that several tabs never overwrite each other's entries.
export function all(prefix) {
	return Object.keys(localStorage).filter((key) => key.startsWith(prefix)).map((key) => [key.slice(prefix.length), localStorage.getItem(key)]);
}

// Returns true if it was stored. Storage may be full or disabled.
export function keep(key, text) {
	try {
		if (text) localStorage.setItem(key, text);
		else localStorage.removeItem(key);
		return true;
	} catch {
		return false;
	}
}

export const find = (key) => localStorage.getItem(key);

function done(request) {
	return new Promise((resolve, reject) => {
		request.onsuccess = () => resolve(request.result);
		request.onerror = () => reject(request.error);
	});
}

let opened = null;

function open() {
	const request = indexedDB.open(DATABASE, 1);
	request.onupgradeneeded = () => request.result.createObjectStore(FILES);
	return done(request);
}

async function withFiles(mode, act) {
	try {
		opened ??= open();
		return await done(act((await opened).transaction(FILES, mode).objectStore(FILES)));
	} catch {
		return undefined; // A private window stores no files.
	}
}

export const files = {
	keep: (key, file) => withFiles("readwrite", (store) => (file ? store.put(file, key) : store.delete(key))),
	find: (key) => withFiles("readonly", (store) => store.get(key)),
};
