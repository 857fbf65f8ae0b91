// Creates elements. Text always becomes text nodes, so that a message is never interpreted as markup.

const SVG = "http://www.w3.org/2000/svg";

// h("button.main", {click: act, "aria-label": …}, children…): attributes are optional, functions are listeners.
export function h(name, ...rest) {
	const [tag, ...classes] = name.split(".");
	const made = document.createElement(tag);
	if (classes.length) made.className = classes.join(" ");
	if (tag === "button") made.type = "button";
	const hasAttributes = rest[0]?.constructor === Object;
	return fill(made, hasAttributes ? rest[0] : {}, hasAttributes ? rest.slice(1) : rest);
}

export function drawing(tag, attributes, ...children) {
	return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(made, attributes, children) {
	for (const [name, value] of Object.entries(attributes)) {
		if (typeof value === "function") made.addEventListener(name, value);
		else if (name === "hue") made.style.setProperty("--hue", value);
		else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
	}
	made.append(...children.flat(2).filter((child) => child || child === 0));
	return made;
}

// Makes the nodes the children of a parent, in this order, and moves only those that changed.
export function place(parent, nodes) {
	const wanted = new Set(nodes);
	for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
	let next = parent.firstChild;
	for (const node of nodes) {
		if (node === next) next = next.nextSibling;
		else parent.insertBefore(node, next);
	}
}

// Announces a text to screen readers.
export function announce(text) {
	document.getElementById("live").textContent = text;
}

// Returns a colour for a text. The same text always gets the same colour.
export function hue(text) {
	let sum = 0;
	for (const character of text) sum = Math.imul(sum ^ character.codePointAt(0), 0x9e3779b1);
	return (sum >>> 8) % 360;
}

// Removes direction overrides, because they could disguise the end of a name.
export function plain(text) {
	return text.replace(/[\u202a-\u202e\u2066-\u2069\u0000-\u001f]/g, "");
}
