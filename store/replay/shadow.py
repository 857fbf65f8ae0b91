"""Folds events into a shadow of the history: temporary tables that are compared with the real ones.

The temporary tables have the same names as the real ones, so the search path decides which of them the statements of
the fold use. A comparison writes no WAL, takes no row locks and leaves no dead rows.
"""

from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import LiteralString, cast

from store.history import fold
from store.history.chats.chats import Chat
from store.history.events.parsed_events import ParsedEvent
from store.history.messages import message_updates, messages
from store.history.messages.message_keys import LockedKey
from store.history.sessions import accounts
from store.model import message_columns
from store.model.keys import ChatAddress, MessageKey
from store.postgres import json_rows
from store.postgres.connections import Connection


def create_tables(connection: Connection) -> None:
    """Create the temporary tables of this connection. Unqualified names still refer to the real tables."""
    connection.execute(
        """
        SET search_path TO public, pg_temp;
        CREATE TEMPORARY TABLE whatsapp_messages (
            LIKE public.whatsapp_messages INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING IDENTITY,
            UNIQUE (key_id, chat_id, direction)
        ) ON COMMIT DELETE ROWS;
        CREATE TEMPORARY TABLE message_updates (
            LIKE public.message_updates INCLUDING CONSTRAINTS, PRIMARY KEY (key_id, kind, digest)
        ) ON COMMIT DELETE ROWS;
        -- Only the columns that statements about messages read. A shadow may need chats that do not exist yet.
        CREATE TEMPORARY TABLE chats (
            chat_id bigint PRIMARY KEY, session_id text NOT NULL, address text NOT NULL, merged_into bigint,
            canonical_chat_id bigint NOT NULL GENERATED ALWAYS AS (coalesce(merged_into, chat_id)) STORED
        ) ON COMMIT DELETE ROWS;
        """
    )


@contextmanager
def shadow_search_path(connection: Connection) -> Generator[None]:
    """Make unqualified names refer to the temporary tables, if they exist, within the block and the transaction."""
    connection.execute("SET LOCAL search_path TO pg_temp, public")
    yield
    connection.execute("SET LOCAL search_path TO public, pg_temp")


def find_keys(connection: Connection, message_keys: Collection[MessageKey]) -> dict[MessageKey, LockedKey]:
    """Return the keys without locking them. Missing ones get negative ids."""
    found = connection.execute(
        """
        SELECT s.session_id, k.message_id, k.key_id, k.has_tombstone
        FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (session_id text, message_id text)
        JOIN sessions AS s USING (session_id)
        JOIN message_keys AS k ON k.session_number = s.session_number AND k.message_id = r.message_id
        """,
        {
            "rows": json_rows.encode(
                {"session_id": session_id, "message_id": message_id} for session_id, message_id in message_keys
            )
        },
    )
    known = {
        (session_id, message_id): LockedKey(key_id, is_new=False, has_tombstone=has_tombstone)
        for session_id, message_id, key_id, has_tombstone in cast("Iterable[tuple[str, str, int, bool]]", found)
    }
    missing = sorted(set(message_keys) - set(known))
    return known | {message_key: LockedKey(-number, is_new=True) for number, message_key in enumerate(missing, 1)}


def find_chats(connection: Connection, addresses: Collection[ChatAddress]) -> dict[ChatAddress, Chat]:
    """Return the chats and their canonical chats without locking them. Missing ones get negative ids."""
    found = connection.execute(
        """
        SELECT c.session_id, c.address, c.chat_id, canonical.chat_id, canonical.session_id, canonical.address
        FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (session_id text, address text)
        JOIN chats AS c USING (session_id, address)
        JOIN chats AS canonical ON canonical.chat_id = c.canonical_chat_id
        """,
        {"rows": json_rows.encode({"session_id": session_id, "address": address} for session_id, address in addresses)},
    )
    known: dict[ChatAddress, Chat] = {}
    rows = cast("Iterable[tuple[str, str, int, int, str, str]]", found)
    for session_id, address, chat_id, canonical_id, canonical_session, canonical_address in rows:
        known[canonical_session, canonical_address] = Chat(canonical_id, canonical_id)
        known[session_id, address] = Chat(chat_id, canonical_id)
    missing = sorted(set(addresses) - set(known))
    return known | {address: Chat(-number, -number) for number, address in enumerate(missing, 1)}


@dataclass(frozen=True, slots=True)
class ShadowScope:
    """The part of the history that a shadow covers."""

    key_ids: Collection[int]
    locked_keys: Mapping[MessageKey, LockedKey]
    """The keys of `key_ids` that a remaining event is about. No event is left about the other ones."""
    chats_by_address: Mapping[ChatAddress, Chat]


def build(connection: Connection, events: Sequence[ParsedEvent], scope: ShadowScope, own_phone: str | None) -> None:
    """Fold the facts about these keys, and no others, into an empty shadow.

    A key with a deleted event starts with its real rows, because the remaining events do not contain everything.
    """
    keys = scope.locked_keys
    known_accounts = accounts.lock(connection)
    keyed = [
        (event, fact, key) for event in events for fact, key in event.keyed_message_facts(known_accounts) if key in keys
    ]
    _copy_chats(connection, scope.chats_by_address)
    _copy_pruned(connection, scope.key_ids, events)
    folding = fold.Fold(connection, events, keyed, keys, dict(scope.chats_by_address), known_accounts)
    folding.drop_tombstoned_facts()
    with shadow_search_path(connection):
        folding.store_messages(own_phone)
        _restore_content_rank(connection)
        folding.store_updates()
        message_updates.recompute(connection, sorted(scope.key_ids))


def _copy_chats(connection: Connection, chats_by_address: Mapping[ChatAddress, Chat]) -> None:
    rows = json_rows.encode(
        {"chat_id": chat.chat_id, "session_id": session_id, "address": address, "canonical": chat.canonical_chat_id}
        for (session_id, address), chat in chats_by_address.items()
    )
    connection.execute(
        """
        INSERT INTO pg_temp.chats (chat_id, session_id, address, merged_into)
        SELECT r.chat_id, r.session_id, r.address, nullif(r.canonical, r.chat_id)
        FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (chat_id bigint, session_id text, address text, canonical bigint)
        """,
        {"rows": rows},
    )


def _copy_pruned(connection: Connection, key_ids: Collection[int], events: Iterable[ParsedEvent]) -> None:
    found = connection.execute(
        "SELECT k.key_id FROM message_keys AS k WHERE k.has_pruned_sources AND k.key_id = ANY(%s)", [list(key_ids)]
    )
    pruned = [key_id for (key_id,) in found]
    if not pruned:
        return
    connection.execute(
        """
        INSERT INTO pg_temp.chats (chat_id, session_id, address, merged_into)
        SELECT c.chat_id, c.session_id, c.address, c.merged_into
        FROM chats AS c
        WHERE c.chat_id IN (
            SELECT m.chat_id FROM whatsapp_messages AS m WHERE m.key_id = ANY(%(keys)s)
            UNION
            SELECT m.chat_id FROM message_updates AS m WHERE m.key_id = ANY(%(keys)s)
        )
        ON CONFLICT DO NOTHING
        """,
        {"keys": pruned},
    )
    digests = [event.digest for event in events]
    connection.execute(_COPY_PRUNED_UPDATES, {"keys": pruned, "digests": digests})
    ties = [messages.content_tiebreaker(digest) for digest in digests]
    connection.execute(_COPY_PRUNED_MESSAGES, {"keys": pruned, "ties": ties})


def _restore_content_rank(connection: Connection) -> None:
    """Restore the rank of content that no event replaced, because a deleted event may have contained the message."""
    connection.execute(
        """
        UPDATE pg_temp.whatsapp_messages AS s
        SET content_rank = m.content_rank
        FROM public.whatsapp_messages AS m
        WHERE s.content_rank < 0
            AND m.key_id = s.key_id AND m.chat_id = s.chat_id AND m.direction = s.direction
        """
    )


_COPY_PRUNED_UPDATES: LiteralString = f"""
    INSERT INTO pg_temp.message_updates ({message_columns.names(message_columns.UPDATE)})
    SELECT {message_columns.names(message_columns.UPDATE, "m")}
    FROM message_updates AS m
    -- An event that is present is folded again.
    WHERE m.key_id = ANY(%(keys)s) AND NOT {message_columns.event_digest("m")} = ANY(%(digests)s)
"""

_UNRANKED = tuple(column for column in message_columns.STORED if column.name != "content_rank")
_COPY_PRUNED_MESSAGES: LiteralString = f"""
    INSERT INTO pg_temp.whatsapp_messages ({message_columns.names(_UNRANKED)}, unread, content_rank)
    SELECT {message_columns.names(_UNRANKED, "m")}, m.unread,
        -- Content from an event that is present is replaced by what that event states now.
        CASE WHEN m.content_tie = ANY(%(ties)s) THEN -1 ELSE m.content_rank END
    FROM whatsapp_messages AS m
    WHERE m.key_id = ANY(%(keys)s)
"""
