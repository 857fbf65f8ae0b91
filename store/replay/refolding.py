"""Folds a page of events again: compares without locks, then repairs the differences under locks."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from store.history import fold
from store.history.chats import chats
from store.history.events import event_digests, raw_events
from store.history.events.parsed_events import ParsedEvent
from store.history.messages import message_keys, message_tombstones
from store.history.messages.message_keys import LockedKey
from store.history.sessions import sessions
from store.history.sessions.accounts import NO_ACCOUNTS
from store.model.keys import ChatAddress, MessageKey
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
    """A page of events, and the differences in their messages, from one snapshot."""

    sources: Sequence[SourceEvent]
    relinked: Sequence[SourceEvent]
    """Events that are now about other messages than those they are linked to: events of the page, and others of its
    messages.
    """
    diff: HistoryDiff

    @property
    def reclassified(self) -> list[SourceEvent]:
        """The events whose outcome or reason changes."""
        return [source for source in self.sources if diff.describe_event(source) is not None]

    @property
    def differs(self) -> bool:
        return bool(self.diff.messages or self.diff.updates or self.relinked or self.reclassified)

    def describe(self, locked_diff: HistoryDiff | None = None) -> list[Difference]:
        """Return all differences. `locked_diff`, if given, is the diff that was found under locks."""
        return [*filter(None, map(diff.describe_event, self.sources)), *diff.describe(locked_diff or self.diff)]


@dataclass(frozen=True, slots=True)
class Refolder:
    """The state of refolding: the parser, and the events that PostgreSQL rejects."""

    parser: EventParser
    own_phone: str | None
    rejected_event_ids: set[int]
    """The ids of events found so far that PostgreSQL rejects."""

    def compare(self, connection: Connection, event_ids: Collection[int], after: int | None) -> RefoldComparison:
        """Compare the messages of these events, folded from all their events, with the history.

        Requires a REPEATABLE READ transaction, so that events and history are of the same moment. A message is compared
        on the page that contains its first event. If the id of that event is at most `after`, an earlier page has
        compared the message. If `after` is None, only relinked events are compared.
        """
        batch = [self._retry_rejected(connection, source) for source in self.load(connection, event_ids)]
        keys = shadow.find_keys(connection, _message_keys(batch))
        relinked = [source for source in batch if _is_relinked(source, keys)]
        due_key_ids = _affected_key_ids(relinked, keys)
        if after is not None:
            linked = raw_events.event_ids_by_key(connection, _linked_key_ids(batch))
            due_key_ids |= {key_id for key_id, events in linked.items() if min(events) > after}
        loaded = {source.event_id: source for source in batch}
        self._load_linked(connection, due_key_ids, loaded)
        # A relinked event moves its message from one key to another. Both keys belong in the same transaction.
        keys = shadow.find_keys(connection, _message_keys(loaded.values()))
        relinked = [source for source in loaded.values() if _is_relinked(source, keys)]
        due_key_ids |= _affected_key_ids(relinked, keys)
        self._load_linked(connection, due_key_ids, loaded)
        # Each call assigns other negative ids to keys that do not exist yet.
        keys = shadow.find_keys(connection, _message_keys(loaded.values()))
        due_key_ids = {key_id for key_id in due_key_ids if key_id > 0} | _affected_key_ids(relinked, keys)
        due_keys = {message_key: key for message_key, key in keys.items() if key.key_id in due_key_ids}
        parsed_events = _parsed_events(connection, loaded.values(), due_key_ids)
        chats_by_address = shadow.find_chats(connection, _chat_addresses(parsed_events))
        scope = ShadowScope(due_key_ids, due_keys, chats_by_address)
        shadow.build(connection, parsed_events, scope, self.own_phone)
        return RefoldComparison(batch, relinked, diff.compare(connection, scope))

    def repair(self, connection: Connection, comparison: RefoldComparison, reason: str) -> list[Difference]:
        """Repair the differences in the caller's transaction. Return those found under locks."""
        event_digests.lock(connection, [source.digest for source in comparison.reclassified])
        key_ids = {key_id for key_id in comparison.diff.key_ids if key_id > 0}
        key_ids |= _linked_key_ids(comparison.relinked)
        to_lock = _message_keys(comparison.relinked) | _message_keys_of(connection, key_ids)
        numbers = sessions.ensure(connection, {session_id for session_id, _ in to_lock})
        locked = message_keys.lock(connection, to_lock, numbers)
        key_ids = {key.key_id for key in locked.values()}
        relinked = self.load(connection, {source.event_id for source in comparison.relinked})
        loaded = {source.event_id: source for source in relinked}
        self._load_linked(connection, key_ids, loaded)
        parsed_events = _parsed_events(connection, loaded.values(), key_ids)
        addresses = _chat_addresses(parsed_events) | chats.addresses_of_keys(connection, sorted(key_ids))
        addresses |= message_tombstones.chat_addresses(connection, locked.values())
        scope = ShadowScope(key_ids, locked, chats.lock(connection, addresses))
        shadow.build(connection, parsed_events, scope, self.own_phone)
        found = diff.compare(connection, scope)
        repair.apply(connection, found, loaded.values())
        outcomes.replace_links(connection, relinked, locked)
        outcomes.update(connection, comparison.reclassified, reason)
        return comparison.describe(found)

    def find_rejected(self, connection: Connection, event_ids: Collection[int]) -> bool:
        """Find and remember the events that PostgreSQL rejects, among these and the other events of their messages.

        Return whether any was found.
        """
        batch = self.load(connection, event_ids)
        loaded = {source.event_id: source for source in batch}
        keys = shadow.find_keys(connection, _message_keys(batch))
        self._load_linked(connection, {key.key_id for key in keys.values() if not key.is_new}, loaded)
        found = {source.event_id for source in loaded.values() if not self._is_accepted(connection, source)}
        self.rejected_event_ids.update(found)
        return bool(found)

    def load(self, connection: Connection, event_ids: Collection[int]) -> list[SourceEvent]:
        """Parse these events again, except those that PostgreSQL rejects."""
        return sources.load(connection, event_ids, self.parser, self.rejected_event_ids)

    def _load_linked(self, connection: Connection, key_ids: Collection[int], loaded: dict[int, SourceEvent]) -> None:
        """Add the events that are linked to these keys."""
        linked = raw_events.event_ids_by_key(connection, key_ids)
        if missing := {event_id for events in linked.values() for event_id in events} - set(loaded):
            loaded |= {source.event_id: source for source in self.load(connection, missing)}

    def _retry_rejected(self, connection: Connection, source: SourceEvent) -> SourceEvent:
        """Retry an event that PostgreSQL rejected earlier and that can be parsed now."""
        rejected = source.stored_reason is not None and source.stored_reason[0] == self.parser.rejected_reason
        if not rejected or not source.parsed_events or self._is_accepted(connection, source):
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


def _parsed_events(connection: Connection, loaded: Iterable[SourceEvent], key_ids: set[int]) -> list[ParsedEvent]:
    """Return the parsed events of these events and of sends, in order."""
    ours = [event for events in sends.parsed_events(connection, key_ids).values() for event in events]
    by_id = sorted(loaded, key=lambda source: source.event_id)
    return ours + [event for source in by_id for event in source.parsed_events]


def _chat_addresses(parsed_events: Iterable[ParsedEvent]) -> set[ChatAddress]:
    return {
        (event.session_id, fact.address)
        for event in parsed_events
        for fact, _ in event.keyed_message_facts(NO_ACCOUNTS)
        if fact.address is not None
    }


def _message_keys(loaded: Iterable[SourceEvent]) -> set[MessageKey]:
    return {message_key for source in loaded for message_key in source.message_keys}


def _linked_key_ids(loaded: Iterable[SourceEvent]) -> set[int]:
    return {key_id for source in loaded for key_id in source.linked_key_ids}


def _affected_key_ids(relinked: Collection[SourceEvent], keys: Mapping[MessageKey, LockedKey]) -> set[int]:
    """Return the keys that these events were linked to and the keys that they are about now."""
    return _linked_key_ids(relinked) | {keys[message_key].key_id for message_key in _message_keys(relinked)}


def _is_relinked(source: SourceEvent, keys: Mapping[MessageKey, LockedKey]) -> bool:
    return source.linked_key_ids != frozenset(keys[message_key].key_id for message_key in source.message_keys)


def _message_keys_of(connection: Connection, key_ids: Collection[int]) -> set[MessageKey]:
    found = connection.execute(
        "SELECT s.session_id, k.message_id FROM message_keys AS k JOIN sessions AS s USING (session_number) "
        "WHERE k.key_id = ANY(%s)",
        [list(key_ids)],
    )
    return {(session_id, message_id) for session_id, message_id in cast("Iterable[tuple[str, str]]", found)}
