// Handles a horizontal swipe on a row. It does on touch screens what the button on hover does with a mouse.

const FAR = 72; // px that count as a swipe
const STRAIGHT = 0.5; // px that a swipe may move vertically for each horizontal px

// The link of a row has `swiped`, the action of its swipe, or nothing.
export function onSwipe(element) {
	let start = null;
	const move = (row, x) => (row.style.transform = x ? `translateX(${x}px)` : "");
	const end = () => {
		if (start) move(start.row, 0);
		start = null;
	};
	element.addEventListener("touchstart", (event) => {
		end();
		const row = event.touches.length === 1 && event.target.closest(".chat");
		if (row?.swiped) start = { row, x: event.touches[0].clientX, y: event.touches[0].clientY };
	}, { passive: true });
	element.addEventListener("touchmove", (event) => {
		if (!start) return;
		const [x, y] = [event.touches[0].clientX - start.x, event.touches[0].clientY - start.y];
		if (Math.abs(y) > 12 && Math.abs(y) > Math.abs(x) * STRAIGHT) return end();
		move(start.row, Math.sign(x) * Math.min(Math.abs(x), FAR));
		start.done = Math.abs(x) >= FAR;
	}, { passive: true });
	element.addEventListener("touchend", () => {
		if (start?.done) start.row.swiped();
		end();
	});
	element.addEventListener("touchcancel", end);
}
