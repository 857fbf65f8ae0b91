"""Draws histories with hypothesis, and the order, copies and transactions in which they are delivered."""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from ingest.queue.contract import RawBatch
from tests.support.generated_history import event_kinds, world
from tests.support.generated_history.dialects import EventChoices
from worker.senders.sak import parser

_CHOICE_BYTES = 12
"""The number of bytes that decide an event: eight for EventChoices, the others for its copies."""


@dataclass(frozen=True, slots=True)
class DeliveredCopy:
    """One delivery of an event. It keeps its time of receipt in whatever order it is delivered."""

    body: bytes
    received_at: int
    place: int | None
    """The number of the batch that contains the event, if the event does not identify itself; None for other events.
    Its position is its identity, so the batch may be delivered again, but equal bytes in another batch are another
    event."""


@dataclass(frozen=True, slots=True)
class DrawnEvent:
    kind: str
    copies: tuple[DeliveredCopy, ...]
    first_delay: int
    second_delay: int
    """The delays of the event in the first and in the second delivery, 0 to 255."""


@dataclass(frozen=True, slots=True, repr=False)
class DrawnHistory:
    events: tuple[DrawnEvent, ...]
    batch_granularity: tuple[int, int]
    """The granularity of each delivery's division, from 0 (one batch) to 3."""
    seed: int
    """The seed for the division and for the batches that are delivered twice."""

    def __repr__(self) -> str:
        """Return a short text, because hypothesis prints it and refuses to print all of a long history."""
        return f"<{len(self.events)} events>"

    def two_deliveries(self) -> "tuple[Delivery, Delivery]":
        """Return two deliveries of the same history."""
        first = _order_copies((event.first_delay, event) for event in self.events)
        second = _order_copies((event.second_delay, event) for event in reversed(self.events))
        return self._deliver(first, 0), self._deliver(second, 1)

    def _deliver(self, copies: Sequence[DeliveredCopy], which: int) -> "Delivery":
        chance = random.Random(f"{self.seed} {which}")
        return tuple(_cut_into_transactions(copies, self.batch_granularity[which], chance))


Delivery = tuple[Sequence[RawBatch], ...]
"""Transactions, which contain batches."""


def draw_histories(
    *, min_events: int = 20, max_events: int = 200, sessions: int | None = None
) -> st.SearchStrategy[DrawnHistory]:
    """Draw histories of `min_events` to `max_events` events in three or more chats. By default, one or two sessions."""
    # Lists with a minimum of 20 have about 40 elements, those with a minimum of 150 about 175.
    sizes = [min_events, *(size for size in (20, 20, 40, 150) if min_events <= size < max_events)]
    return st.builds(
        _history,
        st.sampled_from(sizes).flatmap(
            lambda size: st.lists(
                st.binary(min_size=_CHOICE_BYTES, max_size=_CHOICE_BYTES), min_size=size, max_size=max_events
            )
        ),
        st.tuples(st.integers(1, 2) if sessions is None else st.just(sessions), st.integers(4, 40)),
        st.tuples(st.integers(0, 3), st.integers(0, 3)),
        st.integers(0, 2**16),
    )


def _history(rolls: Sequence[bytes], width: tuple[int, int], cuts: tuple[int, int], seed: int) -> DrawnHistory:
    """Build a history. `width` is the number of sessions and the number of message ids."""
    events = tuple(_event(i, roll, *width) for i, roll in enumerate(rolls))
    return DrawnHistory(events, cuts, seed)


def _event(index: int, roll: bytes, sessions: int, ids: int) -> DrawnEvent:
    dice = EventChoices(*roll[:8])
    if index < 3:
        # Every history has three messages in three chats.
        dice = EventChoices(0, 0, index, *roll[3:8])
    kind, body = event_kinds.build_event(dice, sessions=sessions, ids=ids)
    copies, early, late, _ = roll[8:]
    received_at = event_kinds.first_received_at(dice)
    if not parser.parse(body).is_self_identifying:
        return DrawnEvent(kind, (DeliveredCopy(body, received_at, index),), early, late)
    receipts = [received_at]
    if copies >= 144:
        receipts.append(received_at + (0, 1, world.HOUR, -world.HOUR, 25 * world.HOUR, 3 * world.DAY)[copies % 6])
    if copies >= 224:
        receipts.append(received_at + (2, 26 * world.HOUR)[copies % 2])
    return DrawnEvent(kind, tuple(DeliveredCopy(body, receipt, None) for receipt in receipts), early, late)


def _order_copies(held_up: Iterable[tuple[int, DrawnEvent]]) -> list[DeliveredCopy]:
    """Return every copy in the order of the delayed events. Each further copy of an event is delayed more."""
    timed = [
        (number + delay + lag * 31, copy)
        for number, (delay, event) in enumerate(held_up)
        for lag, copy in enumerate(event.copies)
    ]
    return [copy for _, copy in sorted(timed, key=lambda pair: pair[0])]


def _cut_into_transactions(
    copies: Sequence[DeliveredCopy], fineness: int, rng: random.Random
) -> list[tuple[RawBatch, ...]]:
    """Return the copies as transactions of batches, some of which are repeated."""
    copies = list(_repeat_some(copies, rng))
    # About 1, 3, 6 or 12 transactions, with about as many batches each.
    in_transaction = max(1, 2 * len(copies) // (1, 3, 6, 12)[fineness])
    in_batch = max(1, 2 * in_transaction // (1, 2, 3, 4)[fineness])
    transactions: list[tuple[RawBatch, ...]] = []
    number = upto = 0
    while copies:
        rest = copies[: rng.randint(1, in_transaction)] if fineness else copies
        copies = copies[len(rest) :]
        batches: list[RawBatch] = []
        while rest:
            together = rest[: rng.randint(1, in_batch)] if fineness else rest
            rest = rest[len(together) :]
            batches += [_single_batch(copy, copy.place) for copy in together if copy.place is not None]
            identified = [copy for copy in together if copy.place is None]
            if identified:
                number, upto = number + 1, upto + len(identified)
                batches.append(_queue_batch("f" * 32, number, upto, identified))
        transactions.append(tuple(batches))
        if rng.random() < 0.2:
            # If a worker dies after COMMIT, the same batches are delivered again.
            transactions.append(tuple(batches[: rng.randint(0, len(batches))]))
    return transactions


def _repeat_some(copies: Sequence[DeliveredCopy], rng: random.Random) -> Iterator[DeliveredCopy]:
    """Repeat some copies with the same bytes and receipt, as if they were spooled and streamed."""
    for copy in copies:
        yield copy
        if copy.place is None and rng.random() < 0.1:
            yield copy


def _single_batch(copy: DeliveredCopy, place: int) -> RawBatch:
    return _queue_batch(f"{place:032x}", 1, 1, [copy])


def _queue_batch(writer: str, number: int, upto: int, copies: Sequence[DeliveredCopy]) -> RawBatch:
    return RawBatch(
        writer, number, upto, tuple(copy.received_at for copy in copies), tuple(copy.body for copy in copies)
    )
