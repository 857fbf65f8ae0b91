"""Which messages were forgotten because of their age: no late copy, ack or replay of one brings it back.

A message is retired in its chat, under whatever address of that chat it came, so that a stranger's message that bears
the same id in another chat is none of this.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self, TypeAlias, cast

from store.history.chats import Chat, Place
from store.history.message_keys import Key, Name
from store.history.parsed_events import AboutMessage, Telling
from store.model.facts import Ack, Direction, Message
from store.postgres import json_rows
from store.postgres.connections import Connection

Said: TypeAlias = tuple[Telling, AboutMessage, Name]
Slot: TypeAlias = tuple[int, int, Direction]
"""(key_id, chat_id, direction)"""


def places(connection: Connection, keys: Iterable[Key]) -> set[Place]:
    """Where messages of these locked keys were retired; of most keys, which costs nothing, nowhere."""
    if not (some := _of_retired(keys)):
        return set()
    found = connection.execute(
        """
        SELECT c.session_id, c.address FROM retired AS r JOIN chats AS c USING (chat_id) WHERE r.key_id = ANY(%s)
        """,
        [some],
    )
    return {(session_id, address) for session_id, address in cast("Iterable[tuple[str, str]]", found)}


def without(
    connection: Connection, said: Sequence[Said], keys: Mapping[Name, Key], located: Mapping[Place, Chat]
) -> tuple[Sequence[Said], set[Slot]]:
    """What is said, but for what is said about retired messages; their chats are locked and where they belong now.

    Also where that was said about them and nothing was retired so far: to be noted, as addresses part again.
    """
    if not (some := _of_retired(keys.values())):
        return said, set()
    retired = _Retired.of(connection, some)
    left: list[Said] = []
    news: set[Slot] = set()
    for telling, fact, name in said:
        key = keys[name]
        if not key.retired:
            left.append((telling, fact, name))
        # An ack that names no chat may mean the message that was retired.
        elif fact.address is not None:
            chat = located[telling.session_id, fact.address]
            slot = (key.key_id, chat.chat_id, "outgoing" if isinstance(fact, Ack) else fact.direction)
            if retired.elsewhere(slot, chat.head, is_message=isinstance(fact, Message)):
                news.add(slot)
            elif not retired.here(slot, is_message=isinstance(fact, Message)):
                left.append((telling, fact, name))
    return left, news


def note(connection: Connection, slots: Collection[Slot]) -> None:
    """Note that there is nothing at these places either any more, whatever was said there before."""
    if slots:
        noted = json_rows.document({"key_id": key, "chat_id": chat, "direction": way} for key, chat, way in slots)
        connection.execute(
            """
            INSERT INTO retired (key_id, chat_id, direction)
            SELECT r.key_id, r.chat_id, r.direction
            FROM jsonb_to_recordset(%s::jsonb) AS r (key_id bigint, chat_id bigint, direction text)
            ORDER BY r.key_id, r.chat_id, r.direction
            ON CONFLICT DO NOTHING
            """,
            [noted],
        )
        connection.execute(
            """
            DELETE FROM marks AS k
            USING jsonb_to_recordset(%s::jsonb) AS r (key_id bigint, chat_id bigint)
            WHERE k.key_id = r.key_id AND k.chat_id = r.chat_id
            """,
            [noted],
        )


@dataclass(frozen=True, slots=True)
class _Retired:
    """What was retired of a few ids, and what there is of them."""

    slots: set[Slot]
    shown: set[Slot]
    """The same, but with the head of each chat."""
    living: set[Slot]
    """Where there is a message with such an id, by the heads of chats: younger, or of an address that came later."""
    marked: set[tuple[int, int]]
    """Where something is said about such an id, by the very address."""

    @classmethod
    def of(cls, connection: Connection, key_ids: list[int]) -> Self:
        slots = connection.execute(
            """
            SELECT r.key_id, r.chat_id, r.direction, coalesce(c.merged_into, c.chat_id)
            FROM retired AS r
            JOIN chats AS c USING (chat_id)
            WHERE r.key_id = ANY(%s)
            """,
            [key_ids],
        ).fetchall()
        living = connection.execute(
            """
            SELECT DISTINCT m.key_id, coalesce(c.merged_into, c.chat_id), m.direction
            FROM whatsapp_messages AS m
            JOIN chats AS c USING (chat_id)
            WHERE m.key_id = ANY(%s)
            """,
            [key_ids],
        ).fetchall()
        marked = connection.execute(
            "SELECT DISTINCT k.key_id, k.chat_id FROM marks AS k WHERE k.key_id = ANY(%s) AND k.chat_id IS NOT NULL",
            [key_ids],
        ).fetchall()
        found = cast("Sequence[tuple[int, int, Direction, int]]", slots)
        return cls(
            {(key_id, chat_id, direction) for key_id, chat_id, direction, _ in found},
            {(key_id, head, direction) for key_id, _, direction, head in found},
            set(cast("Sequence[Slot]", living)),
            set(cast("Sequence[tuple[int, int]]", marked)),
        )

    def here(self, slot: Slot, *, is_message: bool) -> bool:
        """Whether a message was retired at this very address; what is said of one, in either direction."""
        return _has(self.slots, slot, is_message=is_message)

    def elsewhere(self, slot: Slot, head: int, *, is_message: bool) -> bool:
        """Whether it was retired at another address only, and nothing is left of it in the chat."""
        shown = (slot[0], head, slot[2])
        return (
            not self.here(slot, is_message=is_message)
            and _has(self.shown, shown, is_message=is_message)
            and not _has(self.living, shown, is_message=is_message)
            and (is_message or slot[:2] not in self.marked)
        )


def _has(slots: Collection[Slot], slot: Slot, *, is_message: bool) -> bool:
    key_id, chat_id, direction = slot
    if is_message:
        return (key_id, chat_id, direction) in slots
    return (key_id, chat_id, "incoming") in slots or (key_id, chat_id, "outgoing") in slots


def _of_retired(keys: Iterable[Key]) -> list[int]:
    return sorted(key.key_id for key in keys if key.retired)
