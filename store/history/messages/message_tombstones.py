"""Keeps tombstones, so that a late copy, ack or replay does not restore an expired message.

A tombstone applies to all addresses of its chat. A message in another chat with the same id is not affected.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self, cast

from store.history.chats.chats import Chat
from store.history.events.parsed_events import KeyedFact
from store.history.messages.message_keys import LockedKey
from store.history.messages.messages import MessageIdentity
from store.model.facts import Ack, Direction, Message
from store.model.keys import ChatAddress, MessageKey
from store.postgres import json_rows
from store.postgres.connections import Connection


def chat_addresses(connection: Connection, locked_keys: Iterable[LockedKey]) -> set[ChatAddress]:
    """Return the chats in which messages with these locked keys have tombstones. Runs no query if no key has one."""
    if not (key_ids := _tombstoned_key_ids(locked_keys)):
        return set()
    found = connection.execute(
        """
        SELECT c.session_id, c.address FROM expired_message_tombstones AS r JOIN chats AS c USING (chat_id)
            WHERE r.key_id = ANY(%s)
        """,
        [key_ids],
    )
    return {(session_id, address) for session_id, address in cast("Iterable[tuple[str, str]]", found)}


def exclude_tombstoned(
    connection: Connection,
    keyed_facts: Sequence[KeyedFact],
    locked_keys: Mapping[MessageKey, LockedKey],
    chats_by_address: Mapping[ChatAddress, Chat],
) -> tuple[Sequence[KeyedFact], set[MessageIdentity]]:
    """Return the facts without those about expired messages, and the tombstones to add.

    Chats must be locked and LIDs resolved. A tombstone must be added for each other address of the chat at which a fact
    was excluded, because the addresses may be separated again.
    """
    if not (key_ids := _tombstoned_key_ids(locked_keys.values())):
        return keyed_facts, set()
    tombstones = _Tombstones.load(connection, key_ids)
    remaining: list[KeyedFact] = []
    added: set[MessageIdentity] = set()
    for event, fact, message_key in keyed_facts:
        key = locked_keys[message_key]
        if not key.has_tombstone:
            remaining.append((event, fact, message_key))
        # An ack without a chat may belong to the expired message.
        elif fact.address is not None:
            chat = chats_by_address[event.session_id, fact.address]
            # The direction of an update is ignored.
            direction = "outgoing" if isinstance(fact, Ack) else fact.direction or "outgoing"
            identity = (key.key_id, chat.chat_id, direction)
            if tombstones.covers_other_address(identity, chat.canonical_chat_id, is_message=isinstance(fact, Message)):
                added.add(identity)
            elif not tombstones.covers_address(identity, is_message=isinstance(fact, Message)):
                remaining.append((event, fact, message_key))
    return remaining, added


def add(connection: Connection, identities: Collection[MessageIdentity]) -> None:
    """Add tombstones and delete the updates of the messages at these addresses."""
    if identities:
        rows = json_rows.encode(
            {"key_id": key, "chat_id": chat, "direction": direction} for key, chat, direction in identities
        )
        connection.execute(
            """
            INSERT INTO expired_message_tombstones (key_id, chat_id, direction)
            SELECT r.key_id, r.chat_id, r.direction
            FROM json_to_recordset(%s::json) AS r (key_id bigint, chat_id bigint, direction text)
            ORDER BY r.key_id, r.chat_id, r.direction
            ON CONFLICT DO NOTHING
            """,
            [rows],
        )
        connection.execute(
            """
            DELETE FROM message_updates AS k
            USING json_to_recordset(%s::json) AS r (key_id bigint, chat_id bigint)
            WHERE k.key_id = r.key_id AND k.chat_id = r.chat_id
            """,
            [rows],
        )


@dataclass(frozen=True, slots=True)
class _Tombstones:
    """The tombstones of some keys, and the stored messages and updates with the same keys."""

    identities: set[MessageIdentity]
    canonical_identities: set[MessageIdentity]
    """The tombstones with the canonical chat of each."""
    existing_identities: set[MessageIdentity]
    """Stored messages by canonical chat: newer ones, or ones at an address that was merged later."""
    with_updates: set[tuple[int, int]]
    """(key_id, chat_id) of stored updates."""

    @classmethod
    def load(cls, connection: Connection, key_ids: list[int]) -> Self:
        tombstones = connection.execute(
            """
            SELECT r.key_id, r.chat_id, r.direction, c.canonical_chat_id
            FROM expired_message_tombstones AS r
            JOIN chats AS c USING (chat_id)
            WHERE r.key_id = ANY(%s)
            """,
            [key_ids],
        ).fetchall()
        existing = connection.execute(
            """
            SELECT DISTINCT m.key_id, c.canonical_chat_id, m.direction
            FROM whatsapp_messages AS m
            JOIN chats AS c USING (chat_id)
            WHERE m.key_id = ANY(%s)
            """,
            [key_ids],
        ).fetchall()
        updated = connection.execute(
            "SELECT DISTINCT k.key_id, k.chat_id FROM message_updates AS k WHERE k.key_id = ANY(%s) AND k.chat_id "
            "IS NOT NULL",
            [key_ids],
        ).fetchall()
        rows = cast("Sequence[tuple[int, int, Direction, int]]", tombstones)
        return cls(
            {(key_id, chat_id, direction) for key_id, chat_id, direction, _ in rows},
            {(key_id, canonical, direction) for key_id, _, direction, canonical in rows},
            set(cast("Sequence[MessageIdentity]", existing)),
            set(cast("Sequence[tuple[int, int]]", updated)),
        )

    def covers_address(self, identity: MessageIdentity, *, is_message: bool) -> bool:
        """Return True if a message at this address has a tombstone. For an update, either direction counts."""
        return _contains(self.identities, identity, is_message=is_message)

    def covers_other_address(self, identity: MessageIdentity, canonical_chat_id: int, *, is_message: bool) -> bool:
        """Return True if only another address of the chat has a tombstone and the chat has no message and no update."""
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
