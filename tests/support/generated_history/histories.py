"""Histories drawn by hypothesis, and the ways to tell one: in which order, how often, cut into batches how."""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from ingest.queue.contract import Batch
from tests.support.generated_history import event_kinds, world
from tests.support.generated_history.dialects import Dice
from worker.sak import parser

_DICE = 12
"""Bytes that decide an event: Dice has eight, the rest is how its copies come."""


@dataclass(frozen=True, slots=True)
class Copy:
    """One delivery of an event; its receipt belongs to it wherever it comes in a telling."""

    body: bytes
    received_at: int
    place: int | None
    """Of an event that does not identify itself: the number of its own batch, since its place is its identity. Such a
    batch may be delivered again, but there are no further copies: equal bytes elsewhere are another event."""


@dataclass(frozen=True, slots=True)
class Event:
    kind: str
    copies: tuple[Copy, ...]
    early: int
    late: int
    """How long the event is held up in the first and in the second telling, 0 to 255."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decides about a LID, at any time: that it is somebody else, or that it is not after all."""

    session_id: str
    lid: str
    is_split: bool


@dataclass(frozen=True, slots=True, repr=False)
class History:
    events: tuple[Event, ...]
    decisions: tuple[Decision, ...]
    """In the order in which they are made; they come anywhere between the events."""
    cuts: tuple[int, int]
    """How finely each telling is cut, 0 (one batch) to 3."""
    seed: int
    """Of what is left to chance: where the cuts are, and which batches come twice."""

    def __repr__(self) -> str:
        """Short: hypothesis prints what a history was made from, and refuses to print all of a long one."""
        return f"<{len(self.events)} events>"

    def tellings(self) -> "tuple[Telling, Telling]":
        """The same history told twice, differently."""
        first = _ordered((event.early, event) for event in self.events)
        second = _ordered((event.late, event) for event in reversed(self.events))
        return self._told(first, 0), self._told(second, 1)

    def _told(self, copies: Sequence[Copy], which: int) -> "Telling":
        chance = random.Random(f"{self.seed} {which}")
        steps: list[Sequence[Batch] | Decision] = list(_cut(copies, self.cuts[which], chance))
        places = sorted(chance.randint(0, len(steps)) for _ in self.decisions)
        for place, decision in reversed(list(zip(places, self.decisions, strict=True))):
            steps.insert(place, decision)
        return tuple(steps)


Telling = tuple[Sequence[Batch] | Decision, ...]
"""Transactions: of batches, or a decision."""

_DECISIONS = (
    (),
    (),
    (Decision(world.SESSIONS[0], world.LID_OF_ASHA, is_split=True),),
    (
        Decision(world.SESSIONS[0], world.LID_OF_ASHA, is_split=True),
        Decision(world.SESSIONS[0], world.LID_OF_ASHA, is_split=False),
    ),
    (
        Decision(world.SESSIONS[0], world.LID_OF_RAVI, is_split=True),
        Decision(world.SESSIONS[0], world.LID_OF_RAVI, is_split=False),
        Decision(world.SESSIONS[0], world.LID_OF_RAVI, is_split=True),
    ),
)


def histories(*, least: int = 20, most: int = 200) -> st.SearchStrategy[History]:
    """Histories of `least` to `most` events in three or more chats of one or two sessions."""
    # Lists of at least 20 have about 40, of at least 150 about 175.
    sizes = [least, *(size for size in (20, 20, 40, 150) if least <= size < most)]
    return st.builds(
        _history,
        st.sampled_from(sizes).flatmap(
            lambda size: st.lists(st.binary(min_size=_DICE, max_size=_DICE), min_size=size, max_size=most)
        ),
        st.tuples(st.integers(1, 2), st.integers(4, 40)),
        st.integers(0, 4),
        st.tuples(st.integers(0, 3), st.integers(0, 3)),
        st.integers(0, 2**16),
    )


def _history(rolls: Sequence[bytes], width: tuple[int, int], decided: int, cuts: tuple[int, int], seed: int) -> History:
    """`width` is how many sessions and how many message ids there are."""
    events = tuple(_event(i, roll, *width) for i, roll in enumerate(rolls))
    return History(events, _DECISIONS[decided], cuts, seed)


def _event(index: int, roll: bytes, sessions: int, ids: int) -> Event:
    dice = Dice(*roll[:8])
    if index < 3:
        # Three messages in three chats, whatever else comes.
        dice = Dice(0, 0, index, *roll[3:8])
    kind, body = event_kinds.made(dice, sessions=sessions, ids=ids)
    copies, early, late, _ = roll[8:]
    received_at = event_kinds.received(dice)
    if not parser.read(body).identifies_itself:
        return Event(kind, (Copy(body, received_at, index),), early, late)
    receipts = [received_at]
    if copies >= 144:
        receipts.append(received_at + (0, 1, world.HOUR, -world.HOUR, 25 * world.HOUR, 3 * world.DAY)[copies % 6])
    if copies >= 224:
        receipts.append(received_at + (2, 26 * world.HOUR)[copies % 2])
    return Event(kind, tuple(Copy(body, receipt, None) for receipt in receipts), early, late)


def _ordered(held_up: Iterable[tuple[int, Event]]) -> list[Copy]:
    """Every copy, in the order in which the events come when they are held up so; copies lag behind each other."""
    timed = [
        (number + delay + lag * 31, copy)
        for number, (delay, event) in enumerate(held_up)
        for lag, copy in enumerate(event.copies)
    ]
    return [copy for _, copy in sorted(timed, key=lambda pair: pair[0])]


def _cut(copies: Sequence[Copy], fineness: int, chance: random.Random) -> list[tuple[Batch, ...]]:
    """The copies as transactions of batches, some of which come again."""
    copies = list(_with_repetitions(copies, chance))
    # About 1, 3, 6 or 12 transactions of about as many batches each.
    in_transaction = max(1, 2 * len(copies) // (1, 3, 6, 12)[fineness])
    in_batch = max(1, 2 * in_transaction // (1, 2, 3, 4)[fineness])
    transactions: list[tuple[Batch, ...]] = []
    number = upto = 0
    while copies:
        rest = copies[: chance.randint(1, in_transaction)] if fineness else copies
        copies = copies[len(rest) :]
        batches: list[Batch] = []
        while rest:
            together = rest[: chance.randint(1, in_batch)] if fineness else rest
            rest = rest[len(together) :]
            batches += [_alone(copy, copy.place) for copy in together if copy.place is not None]
            identified = [copy for copy in together if copy.place is None]
            if identified:
                number, upto = number + 1, upto + len(identified)
                batches.append(_batch("f" * 32, number, upto, identified))
        transactions.append(tuple(batches))
        if chance.random() < 0.2:
            # A worker died after COMMIT: the same batches come again.
            transactions.append(tuple(batches[: chance.randint(0, len(batches))]))
    return transactions


def _with_repetitions(copies: Sequence[Copy], chance: random.Random) -> Iterator[Copy]:
    """Some copies are told twice: spooled and streamed, the same bytes with the same receipt."""
    for copy in copies:
        yield copy
        if copy.place is None and chance.random() < 0.1:
            yield copy


def _alone(copy: Copy, place: int) -> Batch:
    return _batch(f"{place:032x}", 1, 1, [copy])


def _batch(writer: str, number: int, upto: int, copies: Sequence[Copy]) -> Batch:
    return Batch(writer, number, upto, tuple(copy.received_at for copy in copies), tuple(copy.body for copy in copies))
