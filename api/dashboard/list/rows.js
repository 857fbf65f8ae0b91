// Shows a list of any length. Only the visible rows are in the document. Rows have known heights.

import { h, place } from "../page/element.js";

const BEYOND = 6; // rows to create above and below the visible ones

export class Rows {
	#tops = [0];
	#shown = new Map();
	#items = [];
	#active = 0;
	#due = 0;

	// draw(item): returns elements. Items have a stable key. height(item): in px. onNearEnd: called if more items are needed.
	constructor({ label, draw, height, onNearEnd }) {
		Object.assign(this, { draw, height, onNearEnd });
		this.tall = h("div", { role: "list", "aria-label": label });
		this.element = h("div.rows", { scroll: () => this.#later(), keydown: (event) => this.#key(event), focusin: (event) => this.#focused(event) }, this.tall);
		new ResizeObserver(() => this.#later()).observe(this.element);
	}

	set items(items) {
		const key = this.#items[this.#active]?.key;
		this.#items = items;
		this.#tops = new Float64Array(items.length + 1);
		items.forEach((item, i) => (this.#tops[i + 1] = this.#tops[i] + this.height(item)));
		if (items[this.#active]?.key !== key) this.#active = Math.max(0, items.findIndex((item) => item.key === key));
		this.tall.style.height = `${this.#tops[items.length]}px`;
		this.#show();
	}

	focus(index = this.#active) {
		this.#move(index, 1);
	}

	toTop() {
		this.element.scrollTop = 0;
		this.#active = 0;
	}

	// Redraws rows that depend on more than their item.
	redraw() {
		for (const row of this.#shown.values()) row.item = null;
		this.#show();
	}

	#later() {
		this.#due ||= requestAnimationFrame(() => {
			this.#due = 0;
			this.#show();
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

	#show() {
		const { scrollTop, clientHeight } = this.element;
		const count = this.#items.length;
		const first = Math.max(0, this.#at(scrollTop) - BEYOND);
		const last = Math.min(count - 1, this.#at(scrollTop + clientHeight) + BEYOND);
		const wanted = new Set();
		for (let i = first; i <= last; i++) wanted.add(i);
		// The focused row stays in the document, even if it is scrolled out of view.
		if (this.#active < count && this.tall.contains(document.activeElement)) wanted.add(this.#active);
		const keep = new Map();
		// Rows are in the order of the list, because screen readers follow it.
		for (const index of [...wanted].sort((a, b) => a - b)) {
			const item = this.#items[index];
			const row = this.#shown.get(item.key) ?? { element: h("div.row", { role: "listitem" }) };
			if (row.item !== item) {
				const focused = row.element.contains(document.activeElement);
				row.element.replaceChildren(...this.draw(item));
				if (focused) row.element.querySelector("a")?.focus({ preventScroll: true });
			}
			Object.assign(row, { item, index });
			row.element.style.transform = `translateY(${this.#tops[index]}px)`;
			row.element.ariaSetSize = count;
			row.element.ariaPosInSet = index + 1;
			keep.set(item.key, row);
		}
		this.#shown = keep;
		place(this.tall, [...keep.values()].map((row) => row.element));
		this.#rove();
		if (count && scrollTop + clientHeight * 3 > this.#tops[count]) this.onNearEnd();
	}

	#focused({ target }) {
		for (const row of this.#shown.values()) if (row.element.contains(target)) this.#active = row.index;
		this.#rove();
	}

	// Tab reaches one row. The arrow keys reach all of them.
	#rove() {
		const rows = [...this.#shown.values()].filter((row) => row.element.querySelector("a"));
		const active = rows.find((row) => row.index === this.#active) ?? rows[0];
		for (const row of rows) for (const one of row.element.querySelectorAll("a, button")) one.tabIndex = row === active ? 0 : -1;
	}

	#key(event) {
		const page = Math.floor(this.element.clientHeight / 90);
		const step = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity }[event.key];
		if (!step || event.altKey || event.ctrlKey || event.metaKey) return;
		event.preventDefault();
		this.#move(this.#active + step, Math.sign(step));
	}

	#move(index, direction) {
		const last = this.#items.length - 1;
		if (last < 0) return;
		let to = Math.min(Math.max(index, 0), last);
		while (to > 0 && to < last && this.#items[to].heading) to += direction;
		if (this.#items[to].heading) to = Math.min(1, last);
		this.#active = to;
		const { scrollTop, clientHeight } = this.element;
		this.element.scrollTop = Math.min(this.#tops[to], Math.max(scrollTop, this.#tops[to + 1] - clientHeight));
		this.#show();
		this.#shown.get(this.#items[to].key)?.element.querySelector("a")?.focus({ preventScroll: true });
	}
}
