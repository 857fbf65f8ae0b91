// Sets the title and icon of the tab: the chat, and the number of unread messages.

import { number, t } from "./language.js";

let shown = "";
let unread = 0;

export function page(name) {
	shown = name;
	draw();
}

function setUnread(count) {
	unread = count;
	draw();
	document.querySelector('link[rel="icon"]').href = unread ? "/assets/icon_unread.svg" : "/assets/icon.svg";
}

export { setUnread as unread };

function draw() {
	const title = [shown, t("history")].filter(Boolean).join(" · ");
	document.title = unread ? `(${unread >= 1000 ? "999+" : number(unread)}) ${title}` : title;
}
