"""The calls of dashboards, each as a path of the API and as what the store asks PostgreSQL for it."""

import hashlib
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import LiteralString, TypeAlias, cast

from api.live import change_ids
from store.postgres.connections import Connection
from store.reading import change_feed, chat_list, message_pages, search
from store.reading.chat_scope import Place

BIG_CHATS = 10
OPEN_CHATS = 200


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
    open: list[tuple[int, str]]
    """Numbers and addresses of the chats that were active last, which are those that somebody reads."""
    last: int
    """The newest message's id."""
    since: change_feed.Place
    """Two hundred changes before the end."""

    @classmethod
    def of(cls, connection: Connection) -> "History":
        addresses = [str(address) for (address,) in connection.execute("SELECT address FROM chats ORDER BY chat_id")]
        newest = connection.execute(
            """
            SELECT c.chat_id, c.address
            FROM chats AS c
            WHERE c.merged_into IS NULL AND c.last_timestamp IS NOT NULL
            ORDER BY c.last_timestamp DESC, c.chat_id DESC
            LIMIT %s
            """,
            [OPEN_CHATS],
        ).fetchall()
        found = connection.execute(
            """
            SELECT c.xid::text::bigint, c.change_id, (SELECT max(id) FROM whatsapp_messages)
            FROM changes AS c
            ORDER BY c.xid DESC, c.change_id DESC
            LIMIT 1 OFFSET 200
            """
        ).fetchone()
        xid, change_id, last = cast("tuple[int, int, int]", found)
        return cls(
            connection, addresses, cast("list[tuple[int, str]]", newest), last, change_feed.Place(xid, change_id)
        )

    def opened(self, chance: random.Random) -> tuple[str, str, message_pages.Position]:
        """A chat that somebody reads, a message in it, and where that is."""
        chat_id, address = chance.choice(self.open)
        return address, *self._first(
            """
            WITH span AS (
                SELECT min(m.timestamp) AS first, max(m.timestamp) AS last
                FROM whatsapp_messages AS m
                WHERE m.chat_id = %(chat)s
            )
            SELECT m.message_id, m.timestamp, m.arrived, m.id
            FROM span
            JOIN whatsapp_messages AS m ON m.timestamp >= span.first + (span.last - span.first) * %(share)s
            WHERE m.chat_id = %(chat)s
            ORDER BY m.timestamp
            LIMIT 1
            """,
            {"chat": chat_id, "share": chance.random()},
        )

    def anywhere(self, chance: random.Random) -> tuple[str, str]:
        """Any chat at all, as often as it has messages, and a message in it."""
        found = self.connection.execute(
            """
            SELECT c.address, m.message_id
            FROM whatsapp_messages AS m
            JOIN chats AS c USING (chat_id)
            WHERE m.id >= %s
            ORDER BY m.id
            LIMIT 1
            """,
            [chance.randint(1, self.last)],
        ).fetchone()
        return cast("tuple[str, str]", found)

    def _first(self, query: LiteralString, values: dict[str, object]) -> tuple[str, message_pages.Position]:
        found = self.connection.execute(query, values).fetchone()
        message_id, timestamp, arrived, number = cast("tuple[str, int, int, int]", found)
        return message_id, message_pages.Position(timestamp, arrived, message_id, number)


def wanted(address: str, until: int | None = None) -> message_pages.Wanted:
    return message_pages.Wanted(Place(address, None), 50, until=until)


def of(connection: Connection) -> Mapping[str, Making]:
    history = History.of(connection)

    def big(chance: random.Random) -> str:
        return history.addresses[chance.randrange(min(BIG_CHATS, len(history.addresses)))]

    def before(chance: random.Random) -> Call:
        address, _, at = history.opened(chance)
        return Call(
            f"/api/chats/{address}?until={at.timestamp}",
            lambda c: message_pages.newest(c, wanted(address, at.timestamp)),
        )

    cursor = change_ids.seal(change_feed.now(connection)[0], history.since)
    return {
        "chats": lambda _: _chats("", chat_list.Filter()),
        "chats unread": lambda _: _chats("?unread=true", chat_list.Filter(unread=True)),
        "chats named": lambda chance: _named(f"Meera {chance.randrange(len(history.addresses))}"),
        "chats that nobody is called": lambda chance: _named(f"Zebedee {chance.randrange(1000)}"),
        "messages": lambda chance: _newest(chance.choice(history.open)[1]),
        "messages, large chat": lambda chance: _newest(big(chance)),
        "messages before": before,
        "messages around": lambda chance: _around(*history.opened(chance)[:2]),
        "messages, any chat": lambda chance: _newest(chance.choice(history.addresses)),
        "messages around, any message": lambda chance: _around(*history.anywhere(chance)),
        "changes": lambda _: Call(f"/api/changes?since={cursor}", lambda c: change_feed.read(c, history.since, 100)),
        "search, a number": lambda chance: _searching(f"{chance.randint(history.last // 2, history.last):06d}"),
        "search, a rare word": lambda chance: _searching(_sku(chance)),
        "search, a rare and a frequent word": lambda chance: _searching(f"please {_sku(chance)}"),
        "search, a chat": lambda chance: _searching("invoice", big(chance)),
    }


def _chats(query: str, narrowed: chat_list.Filter) -> Call:
    return Call(f"/api/chats{query}", lambda c: chat_list.newest(c, narrowed, 100))


def _named(q: str) -> Call:
    return _chats(f"?q={q.replace(' ', '%20')}", chat_list.Filter(q=q))


def _newest(address: str) -> Call:
    return Call(f"/api/chats/{address}", lambda c: message_pages.newest(c, wanted(address)))


def _around(address: str, message_id: str) -> Call:
    return Call(
        f"/api/chats/{address}?around={message_id}",
        lambda c: message_pages.around_message(c, wanted(address), message_id),
    )


def _sku(chance: random.Random) -> str:
    """A word that one message of 150,000 has, as dev/generator/statements.py makes it up."""
    return f"sku{hashlib.md5(str(chance.randrange(50_000)).encode(), usedforsecurity=False).hexdigest()[:6]}"


def _searching(text: str, address: str | None = None) -> Call:
    def question(connection: Connection) -> object:
        return search.find(connection, search.Wanted(search.words_of(connection, text), 20, address=address), None)

    more = "" if address is None else f"&address={address}"
    return Call(f"/api/search?q={text.replace(' ', '%20')}{more}", question)
