"""Which messages were forgotten because of their age: no late copy, ack or replay of one brings it back.

A message is retired in its chat, under whatever address of that chat it came, so that a stranger's message that bears
the same id in another chat is none of this.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self, cast

from store.history.chats import Chat, ChatAddress
from store.history.message_keys import LockedKey, MessageKey
from store.history.messages import MessageIdentity
from store.history.parsed_events import KeyedFact
from store.model.facts import Ack, Direction, Message
from store.postgres import json_rows
from store.postgres.connections import Connection


def chat_addresses(connection: Connection, locked_keys: Iterable[LockedKey]) -> set[ChatAddress]:
    """Where messages of these locked keys were retired; of most keys, which costs nothing, nowhere."""
    if not (some := _tombstoned_key_ids(locked_keys)):
        return set()
    found = connection.execute(
        """
        SELECT c.session_id, c.address FROM expired_message_tombstones AS r JOIN chats AS c USING (chat_id)
            WHERE r.key_id = ANY(%s)
        """,
        [some],
    )
    return {(session_id, address) for session_id, address in cast("Iterable[tuple[str, str]]", found)}


def exclude_tombstoned(
    connection: Connection,
    keyed_facts: Sequence[KeyedFact],
    locked_keys: Mapping[MessageKey, LockedKey],
    chats_by_address: Mapping[ChatAddress, Chat],
) -> tuple[Sequence[KeyedFact], set[MessageIdentity]]:
    """What is said, but for what is said about retired messages; their chats are locked and where they belong now.

    Also where that was said about them and nothing was retired so far: to be noted, as addresses part again.
    """
    if not (some := _tombstoned_key_ids(locked_keys.values())):
        return keyed_facts, set()
    retired = _Tombstones.load(connection, some)
    left: list[KeyedFact] = []
    news: set[MessageIdentity] = set()
    for telling, fact, name in keyed_facts:
        key = locked_keys[name]
        if not key.has_tombstone:
            left.append((telling, fact, name))
        # An ack that names no chat may mean the message that was retired.
        elif fact.address is not None:
            chat = chats_by_address[telling.session_id, fact.address]
            slot = (key.key_id, chat.chat_id, "outgoing" if isinstance(fact, Ack) else fact.direction)
            if retired.covers_other_address(slot, chat.canonical_chat_id, is_message=isinstance(fact, Message)):
                news.add(slot)
            elif not retired.covers_address(slot, is_message=isinstance(fact, Message)):
                left.append((telling, fact, name))
    return left, news


def add(connection: Connection, identities: Collection[MessageIdentity]) -> None:
    """Note that there is nothing at these places either any more, whatever was said there before."""
    if identities:
        noted = json_rows.encode({"key_id": key, "chat_id": chat, "direction": way} for key, chat, way in identities)
        connection.execute(
            """
            INSERT INTO expired_message_tombstones (key_id, chat_id, direction)
            SELECT r.key_id, r.chat_id, r.direction
            FROM jsonb_to_recordset(%s::jsonb) AS r (key_id bigint, chat_id bigint, direction text)
            ORDER BY r.key_id, r.chat_id, r.direction
            ON CONFLICT DO NOTHING
            """,
            [noted],
        )
        connection.execute(
            """
            DELETE FROM message_updates AS k
            USING jsonb_to_recordset(%s::jsonb) AS r (key_id bigint, chat_id bigint)
            WHERE k.key_id = r.key_id AND k.chat_id = r.chat_id
            """,
            [noted],
        )


@dataclass(frozen=True, slots=True)
class _Tombstones:
    """What was retired of a few ids, and what there is of them."""

    identities: set[MessageIdentity]
    canonical_identities: set[MessageIdentity]
    """The same, but with the head of each chat."""
    existing_identities: set[MessageIdentity]
    """Where there is a message with such an id, by the heads of chats: younger, or of an address that came later."""
    with_updates: set[tuple[int, int]]
    """Where something is said about such an id, by the very address."""

    @classmethod
    def load(cls, connection: Connection, key_ids: list[int]) -> Self:
        slots = connection.execute(
            """
            SELECT r.key_id, r.chat_id, r.direction, c.canonical_chat_id
            FROM expired_message_tombstones AS r
            JOIN chats AS c USING (chat_id)
            WHERE r.key_id = ANY(%s)
            """,
            [key_ids],
        ).fetchall()
        living = connection.execute(
            """
            SELECT DISTINCT m.key_id, c.canonical_chat_id, m.direction
            FROM whatsapp_messages AS m
            JOIN chats AS c USING (chat_id)
            WHERE m.key_id = ANY(%s)
            """,
            [key_ids],
        ).fetchall()
        marked = connection.execute(
            "SELECT DISTINCT k.key_id, k.chat_id FROM message_updates AS k WHERE k.key_id = ANY(%s) AND k.chat_id "
            "IS NOT NULL",
            [key_ids],
        ).fetchall()
        found = cast("Sequence[tuple[int, int, Direction, int]]", slots)
        return cls(
            {(key_id, chat_id, direction) for key_id, chat_id, direction, _ in found},
            {(key_id, head, direction) for key_id, _, direction, head in found},
            set(cast("Sequence[MessageIdentity]", living)),
            set(cast("Sequence[tuple[int, int]]", marked)),
        )

    def covers_address(self, identity: MessageIdentity, *, is_message: bool) -> bool:
        """Whether a message was retired at this very address; what is said of one, in either direction."""
        return _contains(self.identities, identity, is_message=is_message)

    def covers_other_address(self, identity: MessageIdentity, canonical_chat_id: int, *, is_message: bool) -> bool:
        """Whether it was retired at another address only, and nothing is left of it in the chat."""
        shown = (identity[0], canonical_chat_id, identity[2])
        return (
            not self.covers_address(identity, is_message=is_message)
            and _contains(self.canonical_identities, shown, is_message=is_message)
            and not _contains(self.existing_identities, shown, is_message=is_message)
            and (is_message or identity[:2] not in self.with_updates)
        )


def _contains(identities: Collection[MessageIdentity], identity: MessageIdentity, *, is_message: bool) -> bool:
    key_id, chat_id, direction = identity
    if is_message:
        return (key_id, chat_id, direction) in identities
    return (key_id, chat_id, "incoming") in identities or (key_id, chat_id, "outgoing") in identities


def _tombstoned_key_ids(locked_keys: Iterable[LockedKey]) -> list[int]:
    return sorted(key.key_id for key in locked_keys if key.has_tombstone)
