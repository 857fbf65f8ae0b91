"""Folds what events tell into the history. Any order, number and cut of the same tellings gives the same history."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from store.feed.changes import Change, ChangeKind
from store.history import (
    chat_summaries,
    chats,
    lid_aliases,
    message_keys,
    message_tombstones,
    message_updates,
    messages,
    sessions,
)
from store.history.chats import Chat, ChatAddress
from store.history.messages import MessageIdentity
from store.history.parsed_events import KeyedFact, ParsedEvent
from store.model import timestamps
from store.model.facts import Ack, Delete, DisplayName, Edit, LidAlias, Message, Reaction, SessionReport
from store.postgres.connections import Connection


@dataclass(frozen=True, slots=True)
class FoldResult:
    """What a fold touched."""

    key_ids_by_digest: Mapping[bytes, Sequence[int]]
    """Per digest, the keys of the messages that the event tells of."""
    changes: Sequence[Change]
    """What readers can see now and could not before."""


def apply(connection: Connection, parsed_events: Sequence[ParsedEvent], *, own_phone: str | None = None) -> FoldResult:
    """Fold the tellings in the caller's transaction.

    Locks are taken in one order by everybody: keys, LIDs, other chats. Everything is looked up after its lock.
    `own_phone` is the number of sessions that never reported one.
    """
    numbers = sessions.ensure(connection, {telling.session_id for telling in parsed_events})
    said = [(telling, fact, name) for telling in parsed_events for fact, name in telling.keyed_message_facts()]
    locked = message_keys.lock(connection, {name for _, _, name in said}, numbers)
    known = [key.key_id for key in locked.values() if not key.is_new]
    places = {place for t in parsed_events for place in t.chat_addresses()}
    places |= chats.addresses_of_keys(connection, known) | message_tombstones.chat_addresses(
        connection, locked.values()
    )
    folding = Fold(connection, parsed_events, said, locked, chats.lock(connection, places))
    moved = folding.resolve_lids()
    message_tombstones.add(connection, folding.drop_tombstoned_facts())
    merged = folding.store_messages(own_phone)
    marked = folding.store_updates()
    folding.recompute(sorted({*known, *merged, *marked, *moved}))
    folding.refresh_summaries()
    folding.apply_session_reports()
    keys_of: defaultdict[bytes, list[int]] = defaultdict(list)
    for telling, _, name in said:
        if (key_id := locked[name].key_id) not in keys_of[telling.digest]:
            keys_of[telling.digest].append(key_id)
    return FoldResult(keys_of, folding.changes)


@dataclass(slots=True)
class Fold:
    """One fold under its locks: each step writes, and notes what is to be shown anew."""

    connection: Connection
    parsed_events: Sequence[ParsedEvent]
    keyed_facts: Sequence[KeyedFact]
    locked_keys: Mapping[message_keys.MessageKey, message_keys.LockedKey]
    chats_by_address: dict[ChatAddress, Chat]
    summary_changes: chat_summaries.SummaryChanges = field(default_factory=chat_summaries.SummaryChanges)
    """What is to be shown anew."""
    changes: list[Change] = field(default_factory=list[Change])
    address_by_chat_id: dict[int, ChatAddress] = field(init=False)
    """Where each locked chat is."""

    def __post_init__(self) -> None:
        self.address_by_chat_id = {chat.chat_id: place for place, chat in self.chats_by_address.items()}

    def resolve_lids(self) -> list[int]:
        """Take in evidence on LIDs; returns the keys to settle because a LID is shown elsewhere now."""
        evidence = [
            lid_aliases.ObservedLidAlias(t.session_id, t.effective_time(fact.time), t.digest, fact)
            for t in self.parsed_events
            for fact in t.facts
            if isinstance(fact, LidAlias)
        ]
        return self.remap_lids(lid_aliases.add_evidence(self.connection, evidence)) if evidence else []

    def remap_lids(self, lids: Iterable[ChatAddress]) -> list[int]:
        """Show these locked LIDs where their evidence says now; returns the keys to settle because of that."""
        moves = lid_aliases.resolve_lids(self.connection, lids)
        if not moves:
            return []
        lid_aliases.rewrite_phone_numbers(self.connection, moves)
        moved = {move.chat_id: move for move in moves}
        for place, chat in list(self.chats_by_address.items()):
            if move := moved.get(chat.chat_id):
                self.chats_by_address[place] = Chat(chat.chat_id, move.new_canonical_chat_id)
                for head in (move.chat_id, move.old_canonical_chat_id, move.new_canonical_chat_id):
                    self.summary_changes.mark_stale(head, recount=True)
                self.changes.append(Change("merge", place[0], move.new_canonical_chat_id))
        return lid_aliases.affected_key_ids(self.connection, moves)

    def drop_tombstoned_facts(self) -> set[MessageIdentity]:
        """Leave out what is said about messages that were forgotten because of their age; returns where it was new."""
        self.keyed_facts, news = message_tombstones.exclude_tombstoned(
            self.connection, self.keyed_facts, self.locked_keys, self.chats_by_address
        )
        return news

    def store_messages(self, own_phone: str | None) -> set[int]:
        """Make or merge the rows of the messages that are told of; returns the keys of which there were several copies.

        Also where nobody knew the message: its copies here may differ in status, or be shown as one.
        """
        told = [(telling, fact, name) for telling, fact, name in self.keyed_facts if isinstance(fact, Message)]
        if not told:
            return set()
        own = sessions.own_phones(self.connection, {t.session_id for t, _, _ in told})
        made, changed = messages.upsert(
            self.connection,
            [
                self._message_copy(telling, fact, name, own.get(telling.session_id, own_phone))
                for telling, fact, name in told
            ],
        )
        for row_id, copy in made:
            session_id, head = self._canonical_chat(copy.chat_id)
            self.changes.append(Change("message", session_id, head, row_id))
            if copy.direction == "incoming":
                self.summary_changes.add_incoming(head, copy.chat_id, (copy.timestamp, copy.receive_order, row_id))
            else:
                self.summary_changes.mark_stale(head)
        for row in changed:
            session_id, head = self._canonical_chat(row.chat_id)
            self.summary_changes.mark_stale(head)
            self.changes.append(Change("message", session_id, head, row.row_id))
        copies = Counter(name for _, _, name in told)
        return {self.locked_keys[name].key_id for name, count in copies.items() if count > 1}

    def store_updates(self) -> set[int]:
        """Keep acks, edits, deletes and reactions; returns the keys that they mark."""
        found: dict[tuple[int, str, bytes], message_updates.MessageUpdate] = {}
        for telling, fact, name in self.keyed_facts:
            if not isinstance(fact, Message):
                mark = self._message_update(telling, fact, self.locked_keys[name].key_id)
                found.setdefault((mark.key_id, mark.kind, mark.digest), mark)
        if found:
            message_updates.add(self.connection, found.values())
        return {key_id for key_id, _, _ in found}

    def recompute(self, key_ids: list[int]) -> None:
        """Bring these messages to what their copies and marks amount to."""
        for settled in message_updates.recompute(self.connection, key_ids):
            session_id, head = self._canonical_chat(settled.chat_id)
            self.summary_changes.mark_stale(head, recount=settled.copies_changed)
            changed: Mapping[ChangeKind, bool] = {
                "message": settled.copies_changed,
                "status": settled.status_changed,
                "edit": settled.edit_changed,
                "delete": settled.delete_changed,
            }
            self.changes += [Change(kind, session_id, head, settled.row_id) for kind, did in changed.items() if did]
        reacted = [self.locked_keys[name].key_id for _, fact, name in self.keyed_facts if isinstance(fact, Reaction)]
        for row_id, chat_id in message_updates.find_visible(self.connection, reacted):
            self.changes.append(Change("reaction", *self._canonical_chat(chat_id), row_id))

    def refresh_summaries(self) -> None:
        """Take in what addresses are called, and bring the list of chats up to date."""
        names = chats.preferred_names(
            chats.ObservedName(t.session_id, t.effective_time(fact.time), t.digest, fact)
            for t in self.parsed_events
            for fact in t.facts
            if isinstance(fact, DisplayName)
        )
        self.summary_changes.apply(
            self.connection, [(self.chats_by_address[place], called) for place, called in names.items()]
        )

    def apply_session_reports(self) -> None:
        """Take in what sessions say of themselves; last, as every worker wants the few rows of sessions."""
        told = [
            sessions.ObservedReport(t.session_id, t.effective_time(fact.time), t.digest, fact)
            for t in self.parsed_events
            for fact in t.facts
            if isinstance(fact, SessionReport)
        ]
        self.changes += [
            Change("session", session_id) for session_id in sorted(sessions.apply_reports(self.connection, told))
        ]

    def _canonical_chat(self, chat_id: int) -> tuple[str, int]:
        """(session_id, head) of a chat; of another LID in a chat that we locked, it is not at hand."""
        if (place := self.address_by_chat_id.get(chat_id)) is None:
            return chats.find_canonical(self.connection, chat_id)
        return place[0], self.chats_by_address[place].canonical_chat_id

    def _message_copy(
        self, parsed_event: ParsedEvent, fact: Message, message_key: message_keys.MessageKey, own_phone: str | None
    ) -> messages.MessageCopy:
        chat = self.chats_by_address[parsed_event.session_id, fact.address]
        peer = self._peer_phone(chat.canonical_chat_id, fact)
        incoming = fact.direction == "incoming"
        timestamp, source = timestamps.effective(fact.time, parsed_event.received_at)
        return messages.MessageCopy(
            key_id=self.locked_keys[message_key].key_id,
            chat_id=chat.chat_id,
            session_id=parsed_event.session_id,
            message_id=message_key[1],
            direction=fact.direction,
            from_number=peer if incoming else own_phone,
            to_number=own_phone if incoming else peer,
            content=messages.content_of(fact),
            sender=fact.sender,
            sender_name=fact.sender_name,
            base_status=fact.status or (None if incoming else "sent"),
            timestamp=timestamp,
            time_source=source,
            receive_order=parsed_event.received_at * 65536 + parsed_event.batch_index,
            content_rank=messages.rank(fact),
            content_time=timestamp,
            content_tie=messages.content_tiebreaker(parsed_event.digest),
        )

    def _peer_phone(self, canonical_chat_id: int, fact: Message) -> str | None:
        """The phone on the other side: the chat's, or in a group the sender's, where it is known."""
        shown_as = self.address_by_chat_id[canonical_chat_id][1]
        if chats.kind_of(shown_as) == "group" and fact.sender is not None:
            shown_as = fact.sender
        return shown_as if chats.kind_of(shown_as) == "phone" else None

    def _message_update(
        self, parsed_event: ParsedEvent, fact: Ack | Edit | Delete | Reaction, key_id: int
    ) -> message_updates.MessageUpdate:
        is_ack = isinstance(fact, Ack)
        return message_updates.MessageUpdate(
            key_id=key_id,
            kind=_UPDATE_KINDS[type(fact)],
            digest=parsed_event.digest,
            chat_id=None
            if fact.address is None
            else self.chats_by_address[parsed_event.session_id, fact.address].chat_id,
            direction=None if is_ack else fact.direction,
            sender=None if is_ack else fact.sender,
            occurred_at=parsed_event.effective_time(fact.time),
            status=fact.status if is_ack else None,
            text=fact.text if isinstance(fact, Edit) else fact.emoji if isinstance(fact, Reaction) else None,
        )


_UPDATE_KINDS: Mapping[type, message_updates.UpdateKind] = {
    Ack: "ack",
    Edit: "edit",
    Delete: "delete",
    Reaction: "reaction",
}
