// A list of any length of which only what is visible is in the document. Rows have known heights.

import { h } from "./element.js";

const BEYOND = 6; // rows that are made above and below the visible ones

export class Rows {
	#tops = new Float64Array(1);
	#shown = new Map();
	#items = [];
	#active = 0;
	#due = 0;

	// draw(item, index): an element. key(item): the same for the same row. height(item): px. onNearEnd: more is wanted.
	constructor({ label, draw, key, height, onNearEnd }) {
		Object.assign(this, { draw, key, height, onNearEnd });
		this.tall = h("div.tall", { role: "list", "aria-label": label });
		this.element = h("div.rows", { scroll: () => this.#later(), keydown: (event) => this.#key(event), focusin: (event) => this.#focused(event) }, this.tall);
		this.resized = new ResizeObserver(() => this.#later());
		this.resized.observe(this.element);
	}

	get items() {
		return this.#items;
	}

	set items(items) {
		const before = this.#items[this.#active];
		this.#items = items;
		this.#tops = new Float64Array(items.length + 1);
		for (let i = 0; i < items.length; i++) this.#tops[i + 1] = this.#tops[i] + this.height(items[i]);
		if (before) {
			const key = this.key(before);
			if (!items[this.#active] || this.key(items[this.#active]) !== key) this.#active = Math.max(0, items.findIndex((item) => this.key(item) === key));
		}
		this.tall.style.height = `${this.#tops[items.length]}px`;
		this.show();
	}

	focus(index = this.#active) {
		this.#move(index, 1);
	}

	toTop() {
		this.element.scrollTop = 0;
		this.#active = 0;
	}

	#later() {
		this.#due ||= requestAnimationFrame(() => {
			this.#due = 0;
			this.show();
		});
	}

	#at(y) {
		let low = 0;
		let high = this.#items.length - 1;
		while (low < high) {
			const middle = (low + high + 1) >> 1;
			if (this.#tops[middle] <= y) low = middle;
			else high = middle - 1;
		}
		return low;
	}

	show() {
		const { scrollTop, clientHeight } = this.element;
		const count = this.#items.length;
		const first = Math.max(0, this.#at(scrollTop) - BEYOND);
		const last = Math.min(count - 1, this.#at(scrollTop + clientHeight) + BEYOND);
		const wanted = [];
		for (let i = first; i <= last && i < count; i++) wanted.push(i);
		// The row that has the focus stays, wherever the wheel goes.
		if (this.#active < count && (this.#active < first || this.#active > last) && this.tall.contains(document.activeElement)) wanted.push(this.#active);
		const keep = new Map();
		for (const index of wanted) {
			const item = this.#items[index];
			const key = this.key(item);
			const row = this.#shown.get(key) ?? { element: h("div.row", { role: "listitem" }) };
			if (row.item !== item) {
				const focused = row.element.contains(document.activeElement);
				row.element.replaceChildren(this.draw(item, index));
				row.item = item;
				if (focused) row.element.querySelector("a, button")?.focus({ preventScroll: true });
			}
			row.element.style.transform = `translateY(${this.#tops[index]}px)`;
			row.element.ariaSetSize = count;
			row.element.ariaPosInSet = index + 1;
			row.index = index;
			keep.set(key, row);
		}
		for (const [key, row] of this.#shown) if (!keep.has(key)) row.element.remove();
		this.#shown = keep;
		// In the order of the list, so that readers of the screen meet them so.
		let previous = null;
		for (const row of [...keep.values()].sort((a, b) => a.index - b.index)) {
			const next = previous ? previous.nextSibling : this.tall.firstChild;
			if (row.element !== next) this.tall.insertBefore(row.element, next);
			previous = row.element;
		}
		this.#rove();
		if (count && scrollTop + clientHeight * 3 > this.#tops[count]) this.onNearEnd();
	}

	// Draw rows anew whose look depends on more than their item.
	redraw() {
		for (const row of this.#shown.values()) row.item = null;
		this.show();
	}

	#focused(event) {
		for (const row of this.#shown.values()) if (row.element.contains(event.target)) this.#active = row.index;
		this.#rove();
	}

	// Tab meets one row, the arrows meet all.
	#rove() {
		const links = [...this.tall.querySelectorAll("a.chat")];
		const active = [...this.#shown.values()].find((row) => row.index === this.#active)?.element;
		const chosen = links.find((link) => active?.contains(link)) ?? links[0];
		for (const link of links) link.tabIndex = link === chosen ? 0 : -1;
	}

	#key(event) {
		const page = Math.max(1, Math.floor(this.element.clientHeight / 72) - 1);
		const step = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity }[event.key];
		if (!step || event.altKey || event.ctrlKey || event.metaKey) return;
		event.preventDefault();
		this.#move(this.#active + step, Math.sign(step));
	}

	#move(index, direction) {
		const last = this.#items.length - 1;
		let to = Math.min(Math.max(index, 0), last);
		while (to > 0 && to < last && this.#items[to].heading) to += direction;
		if (last < 0) return;
		if (to === 0 && this.#items[0].heading) to = Math.min(1, last);
		this.#active = to;
		const top = this.#tops[to];
		const bottom = this.#tops[to + 1];
		const { scrollTop, clientHeight } = this.element;
		if (top < scrollTop) this.element.scrollTop = top;
		else if (bottom > scrollTop + clientHeight) this.element.scrollTop = bottom - clientHeight;
		this.show();
		const row = this.#shown.get(this.key(this.#items[to]));
		row?.element.querySelector("a, button")?.focus({ preventScroll: true });
	}
}
