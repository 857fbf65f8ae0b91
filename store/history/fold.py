"""Folds parsed events into the history. The result does not depend on order, repetition or grouping of the events."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from store.feed.changes import Change, ChangeKind
from store.history.chats import chat_summaries, chats, lid_aliases, lid_remaps
from store.history.chats.chats import Chat
from store.history.events.parsed_events import KeyedFact, ParsedEvent, alias_addresses, chat_addresses
from store.history.messages import (
    account_keys,
    event_updates,
    message_copies,
    message_keys,
    message_tombstones,
    message_updates,
    messages,
)
from store.history.messages.messages import MessageIdentity
from store.history.sessions import accounts, sessions
from store.history.sessions.accounts import Accounts
from store.model import addresses
from store.model.facts import DisplayName, Message, Reaction, SessionReport
from store.model.keys import ChatAddress, MessageKey
from store.postgres.connections import Connection


@dataclass(frozen=True, slots=True)
class FoldResult:
    key_ids_by_digest: Mapping[bytes, Sequence[int]]
    """The keys of the messages that each event is about, by digest."""
    changes: Sequence[Change]
    """The changes to publish in the change feed."""
    sessions: Collection[str]
    """Sessions that have a row, among them those of the folded events."""


def apply(connection: Connection, parsed_events: Sequence[ParsedEvent], *, own_phone: str | None = None) -> FoldResult:
    """Fold the events in the caller's transaction.

    Every transaction takes its locks in one order (message keys, LIDs, other chats) and reads a row only after locking
    it. `own_phone` is the phone number of sessions that have not reported one.
    """
    known_accounts = accounts.lock(connection)
    session_numbers = sessions.ensure(
        connection, known_accounts.with_primaries({event.session_id for event in parsed_events})
    )
    keyed_facts = [
        (event, fact, key) for event in parsed_events for fact, key in event.keyed_message_facts(known_accounts)
    ]
    keys = {key for _, _, key in keyed_facts}
    account_keys.merge_unmerged(connection, known_accounts, keys)
    locked = message_keys.lock(connection, keys, session_numbers)
    key_ids = [key.key_id for key in locked.values() if not key.is_new]
    wanted = chat_addresses(parsed_events)
    wanted |= lid_aliases.related(connection, alias_addresses(parsed_events), known_accounts)
    wanted |= chats.addresses_of_keys(connection, key_ids)
    wanted |= message_tombstones.chat_addresses(connection, locked.values())
    locked_chats = chats.lock(connection, wanted, known_accounts)
    state = Fold(connection, parsed_events, keyed_facts, locked, locked_chats, known_accounts)
    remapped = state.resolve_lids()
    message_tombstones.add(connection, state.drop_tombstoned_facts())
    repeated = state.store_messages(own_phone)
    updated = state.store_updates()
    state.recompute(sorted({*key_ids, *repeated, *updated, *remapped}))
    state.refresh_summaries()
    state.apply_session_reports()
    key_ids_by_digest: defaultdict[bytes, list[int]] = defaultdict(list)
    for event, _, key in keyed_facts:
        if (key_id := locked[key].key_id) not in key_ids_by_digest[event.digest]:
            key_ids_by_digest[event.digest].append(key_id)
    return FoldResult(key_ids_by_digest, state.changes, session_numbers.keys())


@dataclass(slots=True)
class Fold:
    """One fold, which holds its locks. Each step writes, and collects the changes and the stale summaries."""

    connection: Connection
    parsed_events: Sequence[ParsedEvent]
    keyed_facts: Sequence[KeyedFact]
    locked_keys: Mapping[MessageKey, message_keys.LockedKey]
    chats_by_address: dict[ChatAddress, Chat]
    accounts: Accounts
    summary_changes: chat_summaries.SummaryChanges = field(default_factory=chat_summaries.SummaryChanges)
    changes: list[Change] = field(default_factory=list[Change])
    address_by_chat_id: dict[int, ChatAddress] = field(init=False)
    """The address of each locked chat, by its id."""

    def __post_init__(self) -> None:
        self.address_by_chat_id = {chat.chat_id: address for address, chat in self.chats_by_address.items()}

    def resolve_lids(self) -> list[int]:
        """Store evidence on aliases. Return the keys of messages to recompute: an alias moved to another chat."""
        evidence = lid_aliases.observed(self.parsed_events, self.accounts)
        if not evidence:
            return []
        lid_aliases.add_evidence(self.connection, evidence)
        changed = alias_addresses(self.parsed_events)
        related = lid_aliases.recheck_related(self.connection, changed, self.chats_by_address, self.accounts)
        return self.remap_lids(related)

    def remap_lids(self, aliases: Iterable[ChatAddress]) -> list[int]:
        """Merge these locked aliases according to the evidence. Return the keys to recompute.

        Phones among them are ignored. Everything related to the aliases must be locked (`lid_aliases.related`).
        """
        remaps = lid_aliases.resolve(self.connection, list(aliases), self.accounts)
        if not remaps:
            return []
        lid_remaps.rewrite_phone_numbers(self.connection, remaps)
        remap_by_chat_id = {remap.chat_id: remap for remap in remaps}
        for address, chat in list(self.chats_by_address.items()):
            if remap := remap_by_chat_id.get(chat.chat_id):
                self.chats_by_address[address] = Chat(chat.chat_id, remap.new_canonical_chat_id)
                for canonical_chat_id in (remap.chat_id, remap.old_canonical_chat_id, remap.new_canonical_chat_id):
                    self.summary_changes.mark_stale(canonical_chat_id, recount=True)
                self.changes.append(Change("merge", address[0], remap.new_canonical_chat_id))
        key_ids = lid_remaps.affected_key_ids(self.connection, remaps)
        shown = message_updates.find_visible_messages(self.connection, key_ids)
        # Updates by these people may belong to messages in chats that are not locked yet, mostly groups. Locking them
        # only now can cause a deadlock, after which the batch is tried again.
        late = {chat_id for _, chat_id in shown} - self.address_by_chat_id.keys()
        chats.lock_ids(self.connection, late)
        # Reactions of one person under two addresses may have become one, or one may have become two.
        self.changes += [
            Change("reaction", *self._canonical_chat(chat_id), row_id)
            for row_id, chat_id in shown
            if chat_id in late or self._is_group(chat_id)
        ]
        return key_ids

    def drop_tombstoned_facts(self) -> set[MessageIdentity]:
        """Drop facts about expired messages. Return the tombstones to add."""
        self.keyed_facts, tombstones = message_tombstones.exclude_tombstoned(
            self.connection, self.keyed_facts, self.locked_keys, self.chats_by_address
        )
        return tombstones

    def store_messages(self, own_phone: str | None) -> set[int]:
        """Insert or merge the messages. Return the keys that have several copies in this fold.

        They must be recomputed even if they are new, because the copies may differ in status or be duplicates.
        """
        facts = [(event, fact, key) for event, fact, key in self.keyed_facts if isinstance(fact, Message)]
        if not facts:
            return set()
        own = sessions.own_phones(self.connection, {event.session_id for event, _, _ in facts})
        inserted, changed = messages.upsert(
            self.connection,
            [self._message_copy(event, fact, key, own.get(event.session_id, own_phone)) for event, fact, key in facts],
            {key.key_id for key in self.locked_keys.values() if key.is_new},
        )
        for row_id, copy in inserted:
            session_id, canonical_chat_id = self._canonical_chat(copy.chat_id)
            self.changes.append(Change("message", session_id, canonical_chat_id, row_id))
            if copy.is_unread:
                message = (copy.timestamp, copy.receive_order, row_id)
                self.summary_changes.add_incoming(canonical_chat_id, copy.chat_id, message)
            else:
                self.summary_changes.mark_stale(canonical_chat_id)
        for row in changed:
            session_id, canonical_chat_id = self._canonical_chat(row.chat_id)
            # A notice of a group is never unread, but the message that replaces it is.
            may_be_unread = row.became_unread or self._is_group(row.chat_id)
            self.summary_changes.mark_stale(canonical_chat_id, recount=may_be_unread)
            self.changes.append(Change("message", session_id, canonical_chat_id, row.row_id))
        copies = Counter(key for _, _, key in facts)
        return {self.locked_keys[key].key_id for key, count in copies.items() if count > 1}

    def store_updates(self) -> set[int]:
        """Store acks, edits, deletes and reactions. Return the keys of their messages."""
        updates: list[event_updates.ReceivedUpdate] = []
        for event, fact, key in self.keyed_facts:
            if not isinstance(fact, Message):
                chat = None if fact.address is None else self.chats_by_address[event.session_id, fact.address]
                update = event_updates.from_fact(event, fact, self.locked_keys[key].key_id, chat and chat.chat_id)
                updates.append((event.received_at, fact.address, update))
        if updates:
            message_updates.add(self.connection, event_updates.one_per_author(updates))
        return {update.key_id for _, _, update in updates}

    def recompute(self, key_ids: list[int]) -> None:
        """Recompute these messages from their copies and updates and collect the changes."""
        for recomputed in message_updates.recompute(self.connection, key_ids):
            session_id, canonical_chat_id = self._canonical_chat(recomputed.chat_id)
            if recomputed.copies_changed or recomputed.failure_changed:
                self.summary_changes.mark_stale(canonical_chat_id, recount=recomputed.copies_changed)
            changed: Mapping[ChangeKind, bool] = {
                "message": recomputed.copies_changed,
                "status": recomputed.status_changed,
                "edit": recomputed.edit_changed,
                "delete": recomputed.delete_changed,
            }
            self.changes += [
                Change(kind, session_id, canonical_chat_id, recomputed.row_id)
                for kind, is_changed in changed.items()
                if is_changed
            ]
        reaction_keys = [
            self.locked_keys[key].key_id for _, fact, key in self.keyed_facts if isinstance(fact, Reaction)
        ]
        for row_id, chat_id in message_updates.find_visible_messages(self.connection, reaction_keys):
            self.changes.append(Change("reaction", *self._canonical_chat(chat_id), row_id))

    def refresh_summaries(self) -> None:
        """Set the names of chats and refresh the summaries of chats that changed."""
        names = chats.preferred_names(
            chats.ObservedName(event.session_id, event.effective_time(fact.time), event.digest, fact)
            for event in self.parsed_events
            for fact in event.facts
            if isinstance(fact, DisplayName)
        )
        self.summary_changes.apply(
            self.connection, [(self.chats_by_address[address], name) for address, name in names.items()]
        )

    def apply_session_reports(self) -> None:
        """Apply the reports of sessions. This is the last step because all workers update the same few rows."""
        facts = [
            sessions.ObservedReport(event.session_id, event.effective_time(fact.time), event.digest, fact)
            for event in self.parsed_events
            for fact in event.facts
            if isinstance(fact, SessionReport)
        ]
        self.changes += [
            Change("session", session_id) for session_id in sorted(sessions.apply_reports(self.connection, facts))
        ]

    def _is_group(self, chat_id: int) -> bool:
        address = self.address_by_chat_id.get(chat_id)
        return address is not None and addresses.is_group(address[1])

    def _canonical_chat(self, chat_id: int) -> tuple[str, int]:
        """Return (session_id, canonical_chat_id). A LID that was not locked is looked up."""
        if (address := self.address_by_chat_id.get(chat_id)) is None:
            return chats.find_canonical(self.connection, chat_id)
        return address[0], self.chats_by_address[address].canonical_chat_id

    def _message_copy(
        self, parsed_event: ParsedEvent, fact: Message, message_key: MessageKey, own_phone: str | None
    ) -> messages.MessageCopy:
        chat = self.chats_by_address[parsed_event.session_id, fact.address]
        return message_copies.build(
            (parsed_event, fact, message_key),
            (self.locked_keys[message_key].key_id, chat.chat_id),
            peer_phone=message_copies.peer_phone(self.address_by_chat_id[chat.canonical_chat_id][1], fact),
            own_phone=own_phone,
        )
