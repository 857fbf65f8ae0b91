"""Which messages were forgotten because of their age: no late copy, ack or replay of one brings it back.

A message is retired in its chat, under whatever address of that chat it came, so that a stranger's message that bears
the same id in another chat is none of this.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias, cast

from store.chats import Chat, Place
from store.connect import Connection
from store.facts import Message
from store.keys import Key, Name
from store.telling import AboutMessage, Telling

Said: TypeAlias = tuple[Telling, AboutMessage, Name]


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
) -> Sequence[Said]:
    """What is said, but for what is said about retired messages; their chats are locked and where they belong now."""
    if not (some := _of_retired(keys.values())):
        return said
    found = connection.execute(
        """
        SELECT r.key_id, coalesce(c.merged_into, c.chat_id), r.direction
        FROM retired AS r
        JOIN chats AS c USING (chat_id)
        WHERE r.key_id = ANY(%s)
        """,
        [some],
    ).fetchall()
    messages = set(cast("Iterable[tuple[int, int, str]]", found))
    chats = {(key_id, head) for key_id, head, _ in messages}

    def stays(one: Said) -> bool:
        telling, fact, name = one
        key = keys[name]
        if not key.retired:
            return True
        if fact.address is None:
            # An ack that names no chat may mean the message that was retired.
            return False
        head = located[telling.session_id, fact.address].head
        if isinstance(fact, Message):
            return (key.key_id, head, fact.direction) not in messages
        return (key.key_id, head) not in chats

    return [one for one in said if stays(one)]


def _of_retired(keys: Iterable[Key]) -> list[int]:
    return sorted(key.key_id for key in keys if key.retired)
