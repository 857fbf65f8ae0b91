"""Refolds a handful of events: finds what differs without a lock, and repairs it under all that are needed."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from store.history import chats, event_digests, fold, message_keys, message_tombstones, raw_events, sessions
from store.history.chats import ChatAddress
from store.history.message_keys import LockedKey, MessageKey
from store.history.parsed_events import ParsedEvent
from store.postgres import errors
from store.postgres.connections import Connection
from store.postgres.errors import PermanentError
from store.replay import diff, outcomes, repair, shadow, sources
from store.replay.diff import HistoryDiff
from store.replay.report import Difference
from store.replay.shadow import ShadowScope
from store.replay.sources import EventParser, SourceEvent
from store.sending import sends


@dataclass(frozen=True, slots=True)
class RefoldComparison:
    """A handful of events and the messages they tell of, in one snapshot."""

    sources: Sequence[SourceEvent]
    relinked: Sequence[SourceEvent]
    """Events, of these or sources of the same messages, that tell of other messages than was known."""
    diff: HistoryDiff

    @property
    def reclassified(self) -> list[SourceEvent]:
        """The events that are taken for something else now."""
        return [source for source in self.sources if diff.describe_event(source) is not None]

    @property
    def differs(self) -> bool:
        return bool(self.diff.messages or self.diff.updates or self.relinked or self.reclassified)

    def describe(self, found: HistoryDiff | None = None) -> list[Difference]:
        """Everything that is different, in words; `found` is what was found later, under locks."""
        return [*filter(None, map(diff.describe_event, self.sources)), *diff.describe(found or self.diff)]


@dataclass(frozen=True, slots=True)
class Refolder:
    """How to read, and what is known not to fit."""

    parser: EventParser
    own_phone: str | None
    rejected_event_ids: set[int]
    """Events that the store refuses, found so far."""

    def compare(self, connection: Connection, event_ids: Collection[int], after: int | None) -> RefoldComparison:
        """Compare what is kept with what these events, and the other sources of their messages, say now.

        Needs a snapshot (REPEATABLE READ), in which events and what was folded from them are of one moment. A message
        is looked at with its first event: with those up to `after` that was done. None: only with moved events.
        """
        batch = [self._retry_rejected(connection, source) for source in self.load(connection, event_ids)]
        named = shadow.find_keys(connection, _message_keys(batch))
        moved = [source for source in batch if _is_relinked(source, named)]
        due = {key_id for source in moved for key_id in source.linked_key_ids}
        due |= self._keys_first_seen(connection, batch, after) if after is not None else set()
        due |= {key.key_id for source in moved for name in source.message_keys if not (key := named[name]).is_new}
        loaded = {source.event_id: source for source in batch}
        self._load_linked(connection, due, loaded)
        # A moved source takes its message away from one key and brings it to another: both in one transaction.
        named = shadow.find_keys(connection, _message_keys(loaded.values()))
        moved = [source for source in loaded.values() if _is_relinked(source, named)]
        due |= {key_id for source in moved for key_id in source.linked_key_ids}
        due |= {named[name].key_id for source in moved for name in source.message_keys}
        self._load_linked(connection, due, loaded)
        named = shadow.find_keys(connection, _message_keys(loaded.values()))
        due = {key_id for key_id in due if key_id > 0}
        due |= {named[name].key_id for source in moved for name in source.message_keys}
        wanted = {name: key for name, key in named.items() if key.key_id in due}
        tellings = _parsed_events(connection, loaded.values(), due)
        located = shadow.find_chats(connection, _chat_addresses(tellings))
        ground = ShadowScope(due, wanted, located)
        shadow.build(connection, tellings, ground, self.own_phone)
        return RefoldComparison(batch, moved, diff.compare(connection, ground))

    def repair(self, connection: Connection, comparison: RefoldComparison, reason: str) -> list[Difference]:
        """Make what differs what the sources say, in the caller's transaction; returns what that was."""
        event_digests.lock(connection, [source.digest for source in comparison.reclassified])
        key_ids = {key_id for key_id in comparison.diff.key_ids if key_id > 0}
        key_ids |= {key_id for source in comparison.relinked for key_id in source.linked_key_ids}
        names = _message_keys(comparison.relinked) | _message_keys_of(connection, key_ids)
        numbers = sessions.ensure(connection, {session_id for session_id, _ in names})
        locked = message_keys.lock(connection, names, numbers)
        key_ids = {key.key_id for key in locked.values()}
        moved = {source.event_id for source in comparison.relinked}
        loaded = {source.event_id: source for source in self.load(connection, moved)}
        self._load_linked(connection, key_ids, loaded)
        tellings = _parsed_events(connection, loaded.values(), key_ids)
        places = _chat_addresses(tellings) | chats.addresses_of_keys(connection, sorted(key_ids))
        located = chats.lock(connection, places | message_tombstones.chat_addresses(connection, locked.values()))
        ground = ShadowScope(key_ids, locked, located)
        shadow.build(connection, tellings, ground, self.own_phone)
        found = diff.compare(connection, ground)
        repair.apply(connection, found, loaded.values())
        outcomes.replace_links(
            connection, [loaded[event_id] for event_id in sorted(moved)], {n: k.key_id for n, k in locked.items()}
        )
        outcomes.update(connection, comparison.reclassified, reason)
        return comparison.describe(found)

    def find_rejected(self, connection: Connection, event_ids: Collection[int]) -> bool:
        """Find which of these events, or of the other sources of their messages, the store refuses."""
        batch = self.load(connection, event_ids)
        loaded = {source.event_id: source for source in batch}
        named = shadow.find_keys(connection, _message_keys(batch))
        self._load_linked(connection, {key.key_id for key in named.values() if not key.is_new}, loaded)
        found = {source.event_id for source in loaded.values() if not self._is_accepted(connection, source)}
        self.rejected_event_ids.update(found)
        return bool(found)

    def load(self, connection: Connection, event_ids: Collection[int]) -> list[SourceEvent]:
        """Parse these events again, except the rejected ones."""
        return sources.load(connection, event_ids, self.parser, self.rejected_event_ids)

    def _load_linked(self, connection: Connection, key_ids: Collection[int], loaded: dict[int, SourceEvent]) -> None:
        """Add all that is known to tell of these keys."""
        linked = raw_events.event_ids_by_key(connection, key_ids)
        if missing := {event_id for events in linked.values() for event_id in events} - set(loaded):
            loaded |= {source.event_id: source for source in self.load(connection, missing)}

    def _keys_first_seen(self, connection: Connection, batch: Iterable[SourceEvent], after: int) -> set[int]:
        linked = raw_events.event_ids_by_key(
            connection, {key_id for source in batch for key_id in source.linked_key_ids}
        )
        return {key_id for key_id, events in linked.items() if min(events) > after}

    def _retry_rejected(self, connection: Connection, source: SourceEvent) -> SourceEvent:
        """What the store refused once and the parser reads is tried: it may fit by now."""
        if (
            source.stored_reason is None
            or source.stored_reason[0] != self.parser.rejected_reason
            or not source.parsed_events
        ):
            return source
        if self._is_accepted(connection, source):
            return source
        self.rejected_event_ids.add(source.event_id)
        return self.load(connection, [source.event_id])[0]

    def _is_accepted(self, connection: Connection, source: SourceEvent) -> bool:
        try:
            with errors.translated(), connection.transaction(force_rollback=True):
                fold.apply(connection, source.parsed_events, own_phone=self.own_phone)
        except PermanentError:
            return False
        return True


def _parsed_events(
    connection: Connection, loaded: Iterable[SourceEvent], key_ids: Collection[int]
) -> list[ParsedEvent]:
    """What events and sends of our own tell."""
    ours = [telling for told in sends.parsed_events(connection, key_ids).values() for telling in told]
    return ours + [t for source in sorted(loaded, key=lambda source: source.event_id) for t in source.parsed_events]


def _chat_addresses(parsed_events: Iterable[ParsedEvent]) -> set[ChatAddress]:
    """The chats in which something is said about messages."""
    return {
        (telling.session_id, fact.address)
        for telling in parsed_events
        for fact, _ in telling.keyed_message_facts()
        if fact.address is not None
    }


def _message_keys(loaded: Iterable[SourceEvent]) -> set[MessageKey]:
    return {name for source in loaded for name in source.message_keys}


def _is_relinked(source: SourceEvent, named: Mapping[MessageKey, LockedKey]) -> bool:
    return source.linked_key_ids != frozenset(named[name].key_id for name in source.message_keys)


def _message_keys_of(connection: Connection, key_ids: Collection[int]) -> set[MessageKey]:
    found = connection.execute(
        "SELECT s.session_id, k.message_id FROM message_keys AS k JOIN sessions AS s USING (session_number) "
        "WHERE k.key_id = ANY(%s)",
        [list(key_ids)],
    )
    return {(session_id, message_id) for session_id, message_id in cast("Iterable[tuple[str, str]]", found)}
