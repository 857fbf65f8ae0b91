"""The calls of dashboards, each as a path of the API and as what the store asks PostgreSQL for it."""

import hashlib
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias, cast

from api import resume
from store import contacts, conversations, feed, search
from store.connect import Connection
from store.places import Place

BIG_CHATS = 10


@dataclass(frozen=True, slots=True)
class Call:
    path: str
    question: Callable[[Connection], object]


Making: TypeAlias = Callable[[random.Random], Call]
"""A call with places of its own, so that nothing is only fast because it was just asked."""


@dataclass(frozen=True, slots=True)
class History:
    """What there is to ask for."""

    connection: Connection
    addresses: list[str]
    last: int
    """The newest message's id."""
    since: feed.Place
    """Two hundred changes before the end."""

    @classmethod
    def of(cls, connection: Connection) -> "History":
        addresses = [str(address) for (address,) in connection.execute("SELECT address FROM chats ORDER BY chat_id")]
        found = connection.execute(
            """
            SELECT c.xid::text::bigint, c.change_id, (SELECT max(id) FROM whatsapp_messages)
            FROM changes AS c
            ORDER BY c.xid DESC, c.change_id DESC
            LIMIT 1 OFFSET 200
            """
        ).fetchone()
        xid, change_id, last = cast("tuple[int, int, int]", found)
        return cls(connection, addresses, last, feed.Place(xid, change_id))

    def somewhere(self, chance: random.Random) -> tuple[str, str, conversations.Position]:
        """A chat, a message in it, and where that is."""
        found = self.connection.execute(
            """
            SELECT c.address, m.message_id, m.timestamp, m.arrived, m.id
            FROM whatsapp_messages AS m
            JOIN chats AS c USING (chat_id)
            WHERE m.id >= %s
            ORDER BY m.id
            LIMIT 1
            """,
            [chance.randint(1, self.last)],
        ).fetchone()
        address, message_id, timestamp, arrived, number = cast("tuple[str, str, int, int, int]", found)
        return address, message_id, conversations.Position(timestamp, arrived, message_id, number)


def wanted(address: str, until: int | None = None) -> conversations.Wanted:
    return conversations.Wanted(Place(address, None), 50, until=until)


def of(connection: Connection) -> Mapping[str, Making]:
    history = History.of(connection)

    def big(chance: random.Random) -> str:
        return history.addresses[chance.randrange(min(BIG_CHATS, len(history.addresses)))]

    def before(chance: random.Random) -> Call:
        address, _, at = history.somewhere(chance)
        return Call(
            f"/api/chats/{address}?until={at.timestamp}",
            lambda c: conversations.newest(c, wanted(address, at.timestamp)),
        )

    def around(chance: random.Random) -> Call:
        address, message_id, _ = history.somewhere(chance)
        return Call(
            f"/api/chats/{address}?around={message_id}",
            lambda c: conversations.around_message(c, wanted(address), message_id),
        )

    cursor = resume.seal(feed.now(connection)[0], history.since)
    return {
        "chats": lambda _: _chats("", contacts.Filter()),
        "chats unread": lambda _: _chats("?unread=true", contacts.Filter(unread=True)),
        "chats named": lambda chance: _named(f"Meera {chance.randrange(len(history.addresses))}"),
        "chats that nobody is called": lambda chance: _named(f"Zebedee {chance.randrange(1000)}"),
        "messages": lambda chance: _newest(chance.choice(history.addresses)),
        "messages, large chat": lambda chance: _newest(big(chance)),
        "messages before": before,
        "messages around": around,
        "changes": lambda _: Call(f"/api/changes?since={cursor}", lambda c: feed.read(c, history.since, 100)),
        "search, a number": lambda chance: _searching(f"{chance.randint(history.last // 2, history.last):06d}"),
        "search, a rare word": lambda chance: _searching(_sku(chance)),
        "search, a rare and a frequent word": lambda chance: _searching(f"please {_sku(chance)}"),
        "search, a chat": lambda chance: _searching("invoice", big(chance)),
    }


def _chats(query: str, narrowed: contacts.Filter) -> Call:
    return Call(f"/api/chats{query}", lambda c: contacts.newest(c, narrowed, 100))


def _named(q: str) -> Call:
    return _chats(f"?q={q.replace(' ', '%20')}", contacts.Filter(q=q))


def _newest(address: str) -> Call:
    return Call(f"/api/chats/{address}", lambda c: conversations.newest(c, wanted(address)))


def _sku(chance: random.Random) -> str:
    """A word that one message of 150,000 has, as dev/generatorsql.py makes it up."""
    return f"sku{hashlib.md5(str(chance.randrange(50_000)).encode(), usedforsecurity=False).hexdigest()[:6]}"


def _searching(text: str, address: str | None = None) -> Call:
    def question(connection: Connection) -> object:
        return search.find(connection, search.Wanted(search.words_of(connection, text), 20, address=address), None)

    more = "" if address is None else f"&address={address}"
    return Call(f"/api/search?q={text.replace(' ', '%20')}{more}", question)
