"""Chats: one row per address, and a head for all the addresses of one chat."""

from collections.abc import Collection, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias, cast

import psycopg

from store.model.facts import ChatKind, DisplayName
from store.postgres import errors, json_rows
from store.postgres.connections import Connection

ChatAddress: TypeAlias = tuple[str, str]
"""(session_id, address)"""


@dataclass(frozen=True, slots=True)
class Chat:
    chat_id: int
    canonical_chat_id: int
    """The chat_id of the chat that this address is shown in; its own, unless it is a LID known to be a phone."""


@dataclass(frozen=True, slots=True)
class ObservedName:
    """A name with what orders it among others."""

    session_id: str
    observed_at: int
    digest: bytes
    display_name: DisplayName


def kind_of(address: str) -> ChatKind:
    """What an address is; bare digits always mean a phone."""
    _, at, server = address.partition("@")
    if not at:
        return "phone"
    kinds: Mapping[str, ChatKind] = {
        "g.us": "group",
        "lid": "lid",
        "newsletter": "newsletter",
        "broadcast": "broadcast",
    }
    return kinds.get(server, "other")


def addresses_of_keys(connection: Connection, key_ids: list[int]) -> set[ChatAddress]:
    """The addresses at which something was said about these messages."""
    if not key_ids:
        return set()
    found = connection.execute(
        """
        SELECT c.session_id, c.address
        FROM chats AS c
        WHERE c.chat_id IN (
            SELECT m.chat_id FROM whatsapp_messages AS m WHERE m.key_id = ANY(%(keys)s)
            UNION
            SELECT k.chat_id FROM message_updates AS k WHERE k.key_id = ANY(%(keys)s)
        )
        """,
        {"keys": key_ids},
    )
    return {(str(session_id), str(address)) for session_id, address in found}


def lock(connection: Connection, addresses: Iterable[ChatAddress]) -> dict[ChatAddress, Chat]:
    """Lock the chats at these addresses and the heads they are shown in, making rows that are not there.

    LIDs first, then all others with the heads that the LIDs named: a head is never a LID, so every transaction takes
    its locks in the same order, although whom a LID belongs to is known only once it is locked.
    """
    wanted = set(addresses)
    lids = {place for place in wanted if kind_of(place[1]) == "lid"}
    locked = _lock_until_found(connection, lids)
    heads = _addresses(connection, [head for _, head in locked.values() if head is not None])
    locked |= _lock_until_found(connection, (wanted - lids) | heads)
    return {place: Chat(chat_id, head or chat_id) for place, (chat_id, head) in locked.items()}


def _lock_until_found(connection: Connection, addresses: set[ChatAddress]) -> dict[ChatAddress, tuple[int, int | None]]:
    locked: dict[ChatAddress, tuple[int, int | None]] = {}
    # A row that was there and is being deleted, because its address is forgotten, is found by neither statement.
    while missing := addresses - set(locked):
        locked |= _lock_once(connection, missing)
    return locked


def _lock_once(connection: Connection, addresses: set[ChatAddress]) -> dict[ChatAddress, tuple[int, int | None]]:
    wanted = json_rows.encode(
        {"session_id": session_id, "address": address, "kind": kind_of(address)} for session_id, address in addresses
    )
    connection.execute(
        """
        INSERT INTO chats (session_id, address, kind)
        SELECT r.session_id, r.address, r.kind
        FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (session_id text, address text, kind text)
        WHERE NOT EXISTS (SELECT FROM chats AS c WHERE c.session_id = r.session_id AND c.address = r.address)
        ORDER BY r.session_id, r.address
        ON CONFLICT (session_id, address) DO NOTHING
        """,
        {"rows": wanted},
    )
    locked = connection.execute(
        """
        SELECT c.session_id, c.address, c.chat_id, c.merged_into
        FROM chats AS c
        JOIN jsonb_to_recordset(%(rows)s::jsonb) AS r (session_id text, address text) USING (session_id, address)
        ORDER BY c.session_id, c.address
        FOR UPDATE OF c
        """,
        {"rows": wanted},
    )
    return {
        (session_id, address): (chat_id, head)
        for session_id, address, chat_id, head in cast("list[tuple[str, str, int, int | None]]", locked.fetchall())
    }


def _addresses(connection: Connection, chat_ids: list[int]) -> set[ChatAddress]:
    if not chat_ids:
        return set()
    found = connection.execute("SELECT session_id, address FROM chats WHERE chat_id = ANY(%s)", [chat_ids])
    return {(str(session_id), str(address)) for session_id, address in found}


@contextmanager
def transient_if_chat_erased() -> Generator[None]:
    """For what points to a chat that is not locked: if it was forgotten meanwhile, trying again is a new history."""
    try:
        yield
    except psycopg.errors.ForeignKeyViolation as error:
        raise errors.TransientError("The chat was forgotten in this very moment", error.sqlstate) from error


def find_canonical(connection: Connection, chat_id: int) -> tuple[str, int]:
    """(session_id, head) of a chat."""
    found = connection.execute(
        "SELECT session_id, canonical_chat_id FROM chats WHERE chat_id = %s", [chat_id]
    ).fetchone()
    assert found is not None, "chats are never deleted while messages are in them"
    return str(found[0]), int(str(found[1]))


def preferred_names(names: Iterable[ObservedName]) -> dict[ChatAddress, ObservedName]:
    """The greatest name of each address by (quality, time, digest)."""
    found: dict[ChatAddress, ObservedName] = {}
    for called in names:
        place = (called.session_id, called.display_name.address)
        if place not in found or _precedence(called) > _precedence(found[place]):
            found[place] = called
    return found


def set_names(connection: Connection, names: Collection[ObservedName]) -> None:
    """Let each of these names win at its address if it is greater by (quality, time, digest); one per address."""
    if names:
        connection.execute(
            """
            UPDATE chats AS c
            SET own_name = r.name, own_name_quality = r.quality, own_name_at = r.at,
                own_name_digest = decode(r.digest, 'hex')
            FROM jsonb_to_recordset(%(rows)s::jsonb)
                AS r (session_id text, address text, name text, quality smallint, at bigint, digest text)
            WHERE c.session_id = r.session_id AND c.address = r.address
                AND (c.own_name IS NULL OR (c.own_name_quality, c.own_name_at, c.own_name_digest)
                    < (r.quality, r.at, decode(r.digest, 'hex')))
            """,
            {
                "rows": json_rows.encode(
                    {
                        "session_id": one.session_id,
                        "address": one.display_name.address,
                        "name": one.display_name.name,
                        "quality": one.display_name.quality,
                        "at": one.observed_at,
                        "digest": one.digest,
                    }
                    for one in names
                )
            },
        )


def _precedence(observed_name: ObservedName) -> tuple[int, int, bytes]:
    return observed_name.display_name.quality, observed_name.observed_at, observed_name.digest
