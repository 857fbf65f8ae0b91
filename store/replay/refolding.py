"""Refolds a handful of events: finds what differs without a lock, and repairs it under all that are needed."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from store.history import chats, fold, message_keys, message_tombstones, sessions
from store.history.chats import Place
from store.history.message_keys import Key, Name
from store.history.parsed_events import Telling
from store.postgres import errors
from store.postgres.connections import Connection
from store.postgres.errors import PermanentError
from store.replay import diff, outcomes, repair, shadow, sources
from store.replay.diff import Found
from store.replay.report import Difference
from store.replay.shadow import Ground
from store.replay.sources import Parser, Source
from store.sending import sends


@dataclass(frozen=True, slots=True)
class Comparison:
    """A handful of events and the messages they tell of, in one snapshot."""

    batch: Sequence[Source]
    moved: Sequence[Source]
    """Events, of these or sources of the same messages, that tell of other messages than was known."""
    found: Found

    @property
    def events(self) -> list[Source]:
        """The events that are taken for something else now."""
        return [source for source in self.batch if diff.of_event(source) is not None]

    @property
    def differs(self) -> bool:
        return bool(self.found.messages or self.found.marks or self.moved or self.events)

    def told(self, found: Found | None = None) -> list[Difference]:
        """Everything that is different, in words; `found` is what was found later, under locks."""
        return [*filter(None, map(diff.of_event, self.batch)), *diff.told(found or self.found)]


@dataclass(frozen=True, slots=True)
class Refolding:
    """How to read, and what is known not to fit."""

    parser: Parser
    own_phone: str | None
    refused: set[int]
    """Events that the store refuses, found so far."""

    def compare(self, connection: Connection, event_ids: Collection[int], after: int | None) -> Comparison:
        """Compare what is kept with what these events, and the other sources of their messages, say now.

        Needs a snapshot (REPEATABLE READ), in which events and what was folded from them are of one moment. A message
        is looked at with its first event: with those up to `after` that was done. None: only with moved events.
        """
        batch = [self._tried(connection, source) for source in self._load(connection, event_ids)]
        named = shadow.find_keys(connection, _names(batch))
        moved = [source for source in batch if _is_moved(source, named)]
        due = {key_id for source in moved for key_id in source.links}
        due |= self._first_seen(connection, batch, after) if after is not None else set()
        due |= {key.key_id for source in moved for name in source.names if not (key := named[name]).fresh}
        loaded = {source.event_id: source for source in batch}
        self._fetch(connection, due, loaded)
        # A moved source takes its message away from one key and brings it to another: both in one transaction.
        named = shadow.find_keys(connection, _names(loaded.values()))
        moved = [source for source in loaded.values() if _is_moved(source, named)]
        due |= {key_id for source in moved for key_id in source.links}
        due |= {named[name].key_id for source in moved for name in source.names}
        self._fetch(connection, due, loaded)
        named = shadow.find_keys(connection, _names(loaded.values()))
        due = {key_id for key_id in due if key_id > 0}
        due |= {named[name].key_id for source in moved for name in source.names}
        wanted = {name: key for name, key in named.items() if key.key_id in due}
        tellings = _tellings(connection, loaded.values(), due)
        located = shadow.find_chats(connection, _places(tellings))
        ground = Ground(due, wanted, located)
        shadow.cast_by(connection, tellings, ground, self.own_phone)
        return Comparison(batch, moved, diff.find(connection, ground))

    def repair(self, connection: Connection, comparison: Comparison, reason: str) -> list[Difference]:
        """Make what differs what the sources say, in the caller's transaction; returns what that was."""
        outcomes.lock(connection, comparison.events)
        key_ids = {key_id for key_id in comparison.found.keys if key_id > 0}
        key_ids |= {key_id for source in comparison.moved for key_id in source.links}
        names = _names(comparison.moved) | _names_of(connection, key_ids)
        numbers = sessions.ensure(connection, {session_id for session_id, _ in names})
        locked = message_keys.lock(connection, names, numbers)
        key_ids = {key.key_id for key in locked.values()}
        moved = {source.event_id for source in comparison.moved}
        loaded = {source.event_id: source for source in self._load(connection, moved)}
        self._fetch(connection, key_ids, loaded)
        tellings = _tellings(connection, loaded.values(), key_ids)
        places = _places(tellings) | chats.of_keys(connection, sorted(key_ids))
        located = chats.lock(connection, places | message_tombstones.places(connection, locked.values()))
        ground = Ground(key_ids, locked, located)
        shadow.cast_by(connection, tellings, ground, self.own_phone)
        found = diff.find(connection, ground)
        repair.apply(connection, found, loaded.values())
        outcomes.link(
            connection, [loaded[event_id] for event_id in sorted(moved)], {n: k.key_id for n, k in locked.items()}
        )
        outcomes.note(connection, comparison.events, reason)
        return comparison.told(found)

    def refuse(self, connection: Connection, event_ids: Collection[int]) -> bool:
        """Find which of these events, or of the other sources of their messages, the store refuses."""
        batch = self._load(connection, event_ids)
        loaded = {source.event_id: source for source in batch}
        named = shadow.find_keys(connection, _names(batch))
        self._fetch(connection, {key.key_id for key in named.values() if not key.fresh}, loaded)
        found = {source.event_id for source in loaded.values() if not self._fits(connection, source)}
        self.refused.update(found)
        return bool(found)

    def _load(self, connection: Connection, event_ids: Collection[int]) -> list[Source]:
        return sources.load(connection, event_ids, self.parser, self.refused)

    def _fetch(self, connection: Connection, key_ids: Collection[int], loaded: dict[int, Source]) -> None:
        """Add all that is known to tell of these keys."""
        linked = sources.of_keys(connection, key_ids)
        if missing := {event_id for events in linked.values() for event_id in events} - set(loaded):
            loaded |= {source.event_id: source for source in self._load(connection, missing)}

    def _first_seen(self, connection: Connection, batch: Iterable[Source], after: int) -> set[int]:
        linked = sources.of_keys(connection, {key_id for source in batch for key_id in source.links})
        return {key_id for key_id, events in linked.items() if min(events) > after}

    def _tried(self, connection: Connection, source: Source) -> Source:
        """What the store refused once and the parser reads is tried: it may fit by now."""
        if source.parked is None or source.parked[0] != self.parser.rejected or not source.tellings:
            return source
        if self._fits(connection, source):
            return source
        self.refused.add(source.event_id)
        return self._load(connection, [source.event_id])[0]

    def _fits(self, connection: Connection, source: Source) -> bool:
        try:
            with errors.translated(), connection.transaction(force_rollback=True):
                fold.fold(connection, source.tellings, own_phone=self.own_phone)
        except PermanentError:
            return False
        return True


def _tellings(connection: Connection, some: Iterable[Source], key_ids: Collection[int]) -> list[Telling]:
    """What events and sends of our own tell."""
    ours = [telling for told in sends.tellings(connection, key_ids).values() for telling in told]
    return ours + [t for source in sorted(some, key=lambda source: source.event_id) for t in source.tellings]


def _places(tellings: Iterable[Telling]) -> set[Place]:
    """The chats in which something is said about messages."""
    return {
        (telling.session_id, fact.address)
        for telling in tellings
        for fact, _ in telling.about_messages()
        if fact.address is not None
    }


def _names(some: Iterable[Source]) -> set[Name]:
    return {name for source in some for name in source.names}


def _is_moved(source: Source, named: Mapping[Name, Key]) -> bool:
    return source.links != frozenset(named[name].key_id for name in source.names)


def _names_of(connection: Connection, key_ids: Collection[int]) -> set[Name]:
    found = connection.execute(
        "SELECT s.session_id, k.message_id FROM keys AS k JOIN sessions AS s USING (session) WHERE k.key_id = ANY(%s)",
        [list(key_ids)],
    )
    return {(session_id, message_id) for session_id, message_id in cast("Iterable[tuple[str, str]]", found)}
