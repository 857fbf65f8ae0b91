"""Folds what events tell into the history. Any order, number and cut of the same tellings gives the same history."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from store.feed.changes import Change, Kind
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
from store.history.chats import Chat, Place
from store.history.parsed_events import AboutMessage, Telling
from store.model import timestamps
from store.model.facts import Ack, Alias, Delete, Edit, Message, Name, Reaction, SessionReport
from store.postgres.connections import Connection


@dataclass(frozen=True, slots=True)
class Folded:
    """What a fold touched."""

    keys: Mapping[bytes, Sequence[int]]
    """Per digest, the keys of the messages that the event tells of."""
    changes: Sequence[Change]
    """What readers can see now and could not before."""


def fold(connection: Connection, tellings: Sequence[Telling], *, own_phone: str | None = None) -> Folded:
    """Fold the tellings in the caller's transaction.

    Locks are taken in one order by everybody: keys, LIDs, other chats. Everything is looked up after its lock.
    `own_phone` is the number of sessions that never reported one.
    """
    numbers = sessions.ensure(connection, {telling.session_id for telling in tellings})
    said = [(telling, fact, name) for telling in tellings for fact, name in telling.about_messages()]
    locked = message_keys.lock(connection, {name for _, _, name in said}, numbers)
    known = [key.key_id for key in locked.values() if not key.fresh]
    places = {place for t in tellings for place in t.places()}
    places |= chats.of_keys(connection, known) | message_tombstones.places(connection, locked.values())
    folding = Folding(connection, tellings, said, locked, chats.lock(connection, places))
    moved = folding.point()
    message_tombstones.note(connection, folding.pass_over_retired())
    merged = folding.keep_messages(own_phone)
    marked = folding.keep_marks()
    folding.settle(sorted({*known, *merged, *marked, *moved}))
    folding.show()
    folding.report()
    keys_of: defaultdict[bytes, list[int]] = defaultdict(list)
    for telling, _, name in said:
        if (key_id := locked[name].key_id) not in keys_of[telling.digest]:
            keys_of[telling.digest].append(key_id)
    return Folded(keys_of, folding.changes)


@dataclass(slots=True)
class Folding:
    """One fold under its locks: each step writes, and notes what is to be shown anew."""

    connection: Connection
    tellings: Sequence[Telling]
    said: Sequence[tuple[Telling, AboutMessage, message_keys.Name]]
    locked: Mapping[message_keys.Name, message_keys.Key]
    located: dict[Place, Chat]
    heads: chat_summaries.Heads = field(default_factory=chat_summaries.Heads)
    """What is to be shown anew."""
    changes: list[Change] = field(default_factory=list[Change])
    place_of: dict[int, Place] = field(init=False)
    """Where each locked chat is."""

    def __post_init__(self) -> None:
        self.place_of = {chat.chat_id: place for place, chat in self.located.items()}

    def point(self) -> list[int]:
        """Take in evidence on LIDs; returns the keys to settle because a LID is shown elsewhere now."""
        evidence = [
            lid_aliases.Told(t.session_id, t.at(fact.time), t.digest, fact)
            for t in self.tellings
            for fact in t.facts
            if isinstance(fact, Alias)
        ]
        return self.move(lid_aliases.tell(self.connection, evidence)) if evidence else []

    def move(self, lids: Iterable[Place]) -> list[int]:
        """Show these locked LIDs where their evidence says now; returns the keys to settle because of that."""
        moves = lid_aliases.point(self.connection, lids)
        if not moves:
            return []
        lid_aliases.renumber(self.connection, moves)
        moved = {move.chat_id: move for move in moves}
        for place, chat in list(self.located.items()):
            if move := moved.get(chat.chat_id):
                self.located[place] = Chat(chat.chat_id, move.new_head)
                for head in (move.chat_id, move.old_head, move.new_head):
                    self.heads.touch(head, recount=True)
                self.changes.append(Change("merge", place[0], move.new_head))
        return lid_aliases.unsettled(self.connection, moves)

    def pass_over_retired(self) -> set[message_tombstones.Slot]:
        """Leave out what is said about messages that were forgotten because of their age; returns where it was new."""
        self.said, news = message_tombstones.without(self.connection, self.said, self.locked, self.located)
        return news

    def keep_messages(self, own_phone: str | None) -> set[int]:
        """Make or merge the rows of the messages that are told of; returns the keys of which there were several copies.

        Also where nobody knew the message: its copies here may differ in status, or be shown as one.
        """
        told = [(telling, fact, name) for telling, fact, name in self.said if isinstance(fact, Message)]
        if not told:
            return set()
        own = sessions.phones(self.connection, {t.session_id for t, _, _ in told})
        made, changed = messages.keep(
            self.connection,
            [self._copy(telling, fact, name, own.get(telling.session_id, own_phone)) for telling, fact, name in told],
        )
        for row_id, copy in made:
            session_id, head = self._shown(copy.chat_id)
            self.changes.append(Change("message", session_id, head, row_id))
            if copy.direction == "incoming":
                self.heads.add(head, copy.chat_id, (copy.timestamp, copy.arrived, row_id))
            else:
                self.heads.touch(head)
        for row in changed:
            session_id, head = self._shown(row.chat_id)
            self.heads.touch(head)
            self.changes.append(Change("message", session_id, head, row.id))
        copies = Counter(name for _, _, name in told)
        return {self.locked[name].key_id for name, count in copies.items() if count > 1}

    def keep_marks(self) -> set[int]:
        """Keep acks, edits, deletes and reactions; returns the keys that they mark."""
        found: dict[tuple[int, str, bytes], message_updates.Mark] = {}
        for telling, fact, name in self.said:
            if not isinstance(fact, Message):
                mark = self._mark(telling, fact, self.locked[name].key_id)
                found.setdefault((mark.key_id, mark.kind, mark.digest), mark)
        if found:
            message_updates.keep(self.connection, found.values())
        return {key_id for key_id, _, _ in found}

    def settle(self, key_ids: list[int]) -> None:
        """Bring these messages to what their copies and marks amount to."""
        for settled in message_updates.settle(self.connection, key_ids):
            session_id, head = self._shown(settled.chat_id)
            self.heads.touch(head, recount=settled.copies)
            changed: Mapping[Kind, bool] = {
                "message": settled.copies,
                "status": settled.status,
                "edit": settled.edit,
                "delete": settled.delete,
            }
            self.changes += [Change(kind, session_id, head, settled.id) for kind, did in changed.items() if did]
        reacted = [self.locked[name].key_id for _, fact, name in self.said if isinstance(fact, Reaction)]
        for row_id, chat_id in message_updates.reacted(self.connection, reacted):
            self.changes.append(Change("reaction", *self._shown(chat_id), row_id))

    def show(self) -> None:
        """Take in what addresses are called, and bring the list of chats up to date."""
        names = chats.best(
            chats.Called(t.session_id, t.at(fact.time), t.digest, fact)
            for t in self.tellings
            for fact in t.facts
            if isinstance(fact, Name)
        )
        self.heads.show(self.connection, [(self.located[place], called) for place, called in names.items()])

    def report(self) -> None:
        """Take in what sessions say of themselves; last, as every worker wants the few rows of sessions."""
        told = [
            sessions.Told(t.session_id, t.at(fact.time), t.digest, fact)
            for t in self.tellings
            for fact in t.facts
            if isinstance(fact, SessionReport)
        ]
        self.changes += [Change("session", session_id) for session_id in sorted(sessions.report(self.connection, told))]

    def _shown(self, chat_id: int) -> tuple[str, int]:
        """(session_id, head) of a chat; of another LID in a chat that we locked, it is not at hand."""
        if (place := self.place_of.get(chat_id)) is None:
            return chats.shown_in(self.connection, chat_id)
        return place[0], self.located[place].head

    def _copy(self, telling: Telling, fact: Message, name: message_keys.Name, own_phone: str | None) -> messages.Copy:
        chat = self.located[telling.session_id, fact.address]
        peer = self._phone(chat.head, fact)
        incoming = fact.direction == "incoming"
        timestamp, source = timestamps.effective(fact.time, telling.received_at)
        return messages.Copy(
            key_id=self.locked[name].key_id,
            chat_id=chat.chat_id,
            session_id=telling.session_id,
            message_id=name[1],
            direction=fact.direction,
            from_number=peer if incoming else own_phone,
            to_number=own_phone if incoming else peer,
            message_type=fact.type,
            raw_type=fact.raw_type,
            content_state=fact.content_state,
            message_text=fact.text,
            caption=fact.caption,
            media_url=fact.media_url,
            mime_type=fact.mime_type,
            file_name=fact.file_name,
            reply_to=fact.reply_to,
            sender=fact.sender,
            sender_name=fact.sender_name,
            base_status=fact.status or (None if incoming else "sent"),
            timestamp=timestamp,
            time_source=source,
            arrived=telling.received_at * 65536 + telling.index,
            content_rank=messages.rank(fact),
            content_time=timestamp,
            content_tie=messages.tie(telling.digest),
        )

    def _phone(self, head: int, fact: Message) -> str | None:
        """The phone on the other side: the chat's, or in a group the sender's, where it is known."""
        shown_as = self.place_of[head][1]
        if chats.kind_of(shown_as) == "group" and fact.sender is not None:
            shown_as = fact.sender
        return shown_as if chats.kind_of(shown_as) == "phone" else None

    def _mark(self, telling: Telling, fact: Ack | Edit | Delete | Reaction, key_id: int) -> message_updates.Mark:
        is_ack = isinstance(fact, Ack)
        return message_updates.Mark(
            key_id=key_id,
            kind=_KINDS[type(fact)],
            digest=telling.digest,
            chat_id=None if fact.address is None else self.located[telling.session_id, fact.address].chat_id,
            direction=None if is_ack else fact.direction,
            sender=None if is_ack else fact.sender,
            marked_at=telling.at(fact.time),
            status=fact.status if is_ack else None,
            text=fact.text if isinstance(fact, Edit) else fact.emoji if isinstance(fact, Reaction) else None,
        )


_KINDS: Mapping[type, message_updates.Kind] = {Ack: "ack", Edit: "edit", Delete: "delete", Reaction: "reaction"}
