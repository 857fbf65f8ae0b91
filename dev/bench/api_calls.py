"""Defines the calls of a dashboard, each as a path of the API and as the SQL query behind it."""

import hashlib
import random
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import LiteralString, TypeAlias, cast

from api.live import change_ids
from dev.generator import statements
from store.postgres.connections import Connection
from store.reading import change_feed
from store.reading.chats import chat_list, similar_chats
from store.reading.fragments.chat_scope import ChatScope
from store.reading.messages import message_pages
from store.reading.search import search
from store.search_index import search_document

BIG_CHATS = 10
RECENT_CHATS = 200


@dataclass(frozen=True, slots=True)
class ApiCall:
    path: str
    query: Callable[[Connection], object]


CallFactory: TypeAlias = Callable[[random.Random], ApiCall]
"""Returns a call with random parameters, so that no call is fast only because it was just made."""


@dataclass(frozen=True, slots=True)
class SampledHistory:
    """The chats and messages that the calls refer to."""

    connection: Connection
    addresses: list[str]
    names: list[str]
    """The names of the chats, each with a number at its end."""
    recent_chats: list[tuple[int, str]]
    """Ids and addresses of the most recently active chats, which users open most."""
    last_message_id: int
    """The id of the newest message."""
    feed_position: change_feed.FeedPosition
    """The position two hundred changes before the end of the feed."""

    @classmethod
    def sample(cls, connection: Connection) -> "SampledHistory":
        chats = connection.execute("SELECT address, name FROM chats ORDER BY chat_id").fetchall()
        newest = connection.execute(
            """
            SELECT c.chat_id, c.address
            FROM chats AS c
            WHERE c.merged_into IS NULL AND c.last_timestamp IS NOT NULL
            ORDER BY c.last_timestamp DESC, c.chat_id DESC
            LIMIT %s
            """,
            [RECENT_CHATS],
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
            connection,
            [str(address) for address, _ in chats],
            [str(name) for _, name in chats],
            cast("list[tuple[int, str]]", newest),
            last,
            change_feed.FeedPosition(xid, change_id),
        )

    def random_recent_message(self, rng: random.Random) -> tuple[str, str, message_pages.MessagePosition]:
        """Return a recently active chat, a message in it, and the message's position."""
        chat_id, address = rng.choice(self.recent_chats)
        return address, *self._first_message(
            """
            WITH span AS (
                SELECT min(m.timestamp) AS first, max(m.timestamp) AS last
                FROM whatsapp_messages AS m
                WHERE m.chat_id = %(chat)s
            )
            SELECT m.message_id, m.timestamp, m.receive_order, m.id
            FROM span
            JOIN whatsapp_messages AS m ON m.timestamp >= span.first + (span.last - span.first) * %(share)s
            WHERE m.chat_id = %(chat)s
            ORDER BY m.timestamp
            LIMIT 1
            """,
            {"chat": chat_id, "share": rng.random()},
        )

    def random_message(self, rng: random.Random) -> tuple[str, str]:
        """Return a random message and its chat. Chats are chosen in proportion to their messages."""
        found = self.connection.execute(
            """
            SELECT c.address, m.message_id
            FROM whatsapp_messages AS m
            JOIN chats AS c USING (chat_id)
            WHERE m.id >= %s
            ORDER BY m.id
            LIMIT 1
            """,
            [rng.randint(1, self.last_message_id)],
        ).fetchone()
        return cast("tuple[str, str]", found)

    def _first_message(
        self, query: LiteralString, values: dict[str, object]
    ) -> tuple[str, message_pages.MessagePosition]:
        found = self.connection.execute(query, values).fetchone()
        message_id, timestamp, receive_order, number = cast("tuple[str, int, int, int]", found)
        return message_id, message_pages.MessagePosition(timestamp, receive_order, message_id, number)


def message_query(address: str, until: int | None = None) -> message_pages.MessageQuery:
    return message_pages.MessageQuery(ChatScope(address, None), 50, until=until)


def factories(connection: Connection) -> Mapping[str, CallFactory]:
    history = SampledHistory.sample(connection)

    def big_chat_address(chance: random.Random) -> str:
        return history.addresses[chance.randrange(min(BIG_CHATS, len(history.addresses)))]

    def before(chance: random.Random) -> ApiCall:
        address, _, at = history.random_recent_message(chance)
        return ApiCall(
            f"/api/chats/{address}?until={at.timestamp}",
            lambda c: message_pages.newest(c, message_query(address, at.timestamp)),
        )

    def term(chance: random.Random, kind: int) -> str:
        """Return a random term, rare or frequent. `kind` is 0 for Chinese, 1 for two letters, 2 for longer words."""
        rank = int(statements.TERM_RANKS ** chance.random())
        rank += (kind - rank) % 3
        query = f"SELECT {statements.TERM} FROM (SELECT {rank}::bigint AS rank) AS r"  # noqa: S608 - a number
        return str(cast("tuple[object]", connection.execute(cast("LiteralString", query)).fetchone())[0])

    cursor = change_ids.encode(change_feed.current_position(connection)[0], history.feed_position)
    return {
        "chats": lambda _: _list_chats("", chat_list.ChatFilter()),
        "chats unread": lambda _: _list_chats("?unread=true", chat_list.ChatFilter(unread=True)),
        "chats named": lambda chance: _search_chats(chance.choice(history.names)),
        "chats, a misspelt name": lambda chance: _search_chats(_misspell(chance, chance.choice(history.names))),
        "chats, a misspelt first name": lambda chance: _search_chats(
            _misspell(chance, chance.choice(history.names).partition(" ")[0])
        ),
        "chats by an unknown name": lambda chance: _search_chats(f"Zebedee {chance.randrange(1000)}"),
        "messages": lambda chance: _latest_messages(chance.choice(history.recent_chats)[1]),
        "messages, large chat": lambda chance: _latest_messages(big_chat_address(chance)),
        "messages before": before,
        "messages around": lambda chance: _messages_around(*history.random_recent_message(chance)[:2]),
        "messages, any chat": lambda chance: _latest_messages(chance.choice(history.addresses)),
        "messages around, any message": lambda chance: _messages_around(*history.random_message(chance)),
        "changes": lambda _: ApiCall(
            f"/api/changes?since={cursor}", lambda c: change_feed.read(c, history.feed_position, 100)
        ),
        "search, a number": lambda chance: _search_messages(
            f"{chance.randint(history.last_message_id // 2, history.last_message_id):06d}"
        ),
        "search, a word": lambda chance: _search_messages(term(chance, 2)),
        "search, two letters": lambda chance: _search_messages(term(chance, 1)),
        "search, Chinese": lambda chance: _search_messages(term(chance, 0)),
        "search, a rare word": lambda chance: _search_messages(_rare_word(chance)),
        "search, a rare and a frequent word": lambda chance: _search_messages(f"please {_rare_word(chance)}"),
        "search, a chat": lambda chance: _search_messages("invoice", big_chat_address(chance)),
    }


def _list_chats(query: str, filters: chat_list.ChatFilter) -> ApiCall:
    return ApiCall(f"/api/chats{query}", lambda c: chat_list.newest(c, filters, 100))


def _search_chats(q: str) -> ApiCall:
    filters = chat_list.ChatFilter(search_text=q)

    def query(connection: Connection) -> object:
        page = chat_list.newest(connection, filters, 100)
        return page if page.chats else similar_chats.find(connection, filters, 100)

    return ApiCall(f"/api/chats?q={urllib.parse.quote(q)}", query)


def _misspell(rng: random.Random, name: str) -> str:
    """Return the name without its number, with two neighbouring letters of its first word swapped."""
    first, *rest = [word for word in name.split() if not word.isdecimal()]
    swapped = [n for n in range(1, len(first) - 1) if first[n] != first[n + 1]]
    at = rng.choice(swapped)
    return " ".join([first[:at] + first[at + 1] + first[at] + first[at + 2 :], *rest])


def _latest_messages(address: str) -> ApiCall:
    return ApiCall(f"/api/chats/{address}", lambda c: message_pages.newest(c, message_query(address)))


def _messages_around(address: str, message_id: str) -> ApiCall:
    def query(connection: Connection) -> object:
        wanted = message_query(address)
        position = message_pages.locate(connection, wanted.scope, message_id)
        return position and message_pages.around(connection, wanted, position)

    return ApiCall(f"/api/chats/{address}?around={message_id}", query)


def _rare_word(rng: random.Random) -> str:
    """Return a word that occurs in one of 150,000 messages (dev/generator/statements.py)."""
    return f"sku{hashlib.md5(str(rng.randrange(50_000)).encode(), usedforsecurity=False).hexdigest()[:6]}"


def _search_messages(text: str, address: str | None = None) -> ApiCall:
    def query(connection: Connection) -> object:
        return search.find(connection, search.SearchQuery(search_document.split_query(text), 20, address=address), None)

    more = "" if address is None else f"&address={address}"
    return ApiCall(f"/api/search?q={urllib.parse.quote(text)}{more}", query)
