"""Locks and inserts chats: one row per address; the addresses of one person share a canonical chat."""

from collections.abc import Callable, Collection, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from operator import attrgetter
from typing import NamedTuple, TypeAlias, cast

import psycopg

from store.history.sessions import accounts
from store.history.sessions.accounts import Accounts
from store.model import addresses
from store.model.facts import DisplayName
from store.model.keys import ChatAddress
from store.postgres import errors, json_rows
from store.postgres.connections import Connection

_LockedRow: TypeAlias = tuple[int, int | None]
"""(chat_id, merged_into)"""
_MERGE_RANKS = (0, 1, 2)


@dataclass(frozen=True, slots=True)
class Chat:
    chat_id: int
    canonical_chat_id: int
    """The chat that shows this address: its own, unless the address is an alias of another chat."""


class ObservedName(NamedTuple):
    """A name, with the time and digest by which it is compared with others. A tuple for speed."""

    session_id: str
    observed_at: int
    digest: bytes
    display_name: DisplayName


def addresses_of_keys(connection: Connection, key_ids: list[int]) -> set[ChatAddress]:
    """Return the addresses of the messages with these keys, of their updates, and of the updates' authors."""
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
        UNION
        SELECT s.session_id, k.sender
        FROM message_updates AS k
        JOIN message_keys USING (key_id)
        JOIN sessions AS s USING (session_number)
        WHERE k.key_id = ANY(%(keys)s) AND k.sender IS NOT NULL
        """,
        {"keys": key_ids},
    )
    return set(cast("Iterable[ChatAddress]", found))


def lock(
    connection: Connection, chat_addresses: Iterable[ChatAddress], known_accounts: Accounts | None = None
) -> dict[ChatAddress, Chat]:
    """Lock the chats at these addresses and their canonical chats, inserting missing rows.

    An address is only merged into one of a higher rank, and ranks are locked in order. All transactions therefore take
    their locks in the same order. `known_accounts` are the accounts, if the caller has already locked them.
    """
    known_accounts = accounts.lock(connection) if known_accounts is None else known_accounts
    wanted = set(chat_addresses)
    if known_accounts.primary_by_session:
        wanted |= {(known_accounts.primary_of(session_id), address) for session_id, address in wanted}
    locked: dict[ChatAddress, _LockedRow] = {}
    inserted: set[ChatAddress] = set()
    # The last pass is for chats that were merged while another session was the primary one of their account.
    for rank in (*_MERGE_RANKS, None):
        of_rank = {each for each in wanted - locked.keys() if rank is None or addresses.merge_rank(each[1]) == rank}
        found = _lock_until_found(connection, of_rank, inserted)
        wanted |= _addresses(connection, [merged_into for _, merged_into in found.values() if merged_into is not None])
        locked |= found
    if known_accounts.primary_by_session:
        locked |= _merge_inserted(connection, inserted, known_accounts)
    return {address: Chat(chat_id, merged_into or chat_id) for address, (chat_id, merged_into) in locked.items()}


def _lock_until_found(
    connection: Connection, wanted: set[ChatAddress], inserted: set[ChatAddress]
) -> dict[ChatAddress, _LockedRow]:
    locked: dict[ChatAddress, _LockedRow] = {}
    # The lookup is repeated, because no statement returns a row that an erasure deletes at the same time.
    while missing := wanted - set(locked):
        locked |= _lock_once(connection, missing, inserted)
    return locked


def _merge_inserted(
    connection: Connection, inserted: Iterable[ChatAddress], known_accounts: Accounts
) -> dict[ChatAddress, _LockedRow]:
    """Merge new chats of an account's other sessions into the locked chats of its primary session."""
    rows = [
        {"session_id": session_id, "address": address, "primary_id": primary_id}
        for session_id, address in inserted
        if (primary_id := known_accounts.primary_of(session_id)) != session_id
    ]
    if not rows:
        return {}
    merged = connection.execute(
        """
        UPDATE chats AS c
        SET merged_into = p.canonical_chat_id
        FROM json_to_recordset(%(rows)s::json) AS r (session_id text, address text, primary_id text)
        JOIN chats AS p ON p.session_id = r.primary_id AND p.address = r.address
        WHERE c.session_id = r.session_id AND c.address = r.address
        RETURNING c.session_id, c.address, c.chat_id, c.merged_into
        """,
        {"rows": json_rows.encode(rows)},
    )
    return _by_address(merged.fetchall())


def _by_address(rows: Iterable[object]) -> dict[ChatAddress, _LockedRow]:
    return {
        (session_id, address): (chat_id, merged_into)
        for session_id, address, chat_id, merged_into in cast("Iterable[tuple[str, str, int, int | None]]", rows)
    }


def _lock_once(
    connection: Connection, wanted: set[ChatAddress], inserted: set[ChatAddress]
) -> dict[ChatAddress, _LockedRow]:
    """Lock the rows that exist, and add the addresses of inserted rows to `inserted`."""
    rows = json_rows.encode(
        {"session_id": session_id, "address": address, "kind": addresses.kind_of(address)}
        for session_id, address in wanted
    )
    new = connection.execute(
        """
        INSERT INTO chats (session_id, address, kind)
        SELECT r.session_id, r.address, r.kind
        FROM json_to_recordset(%(rows)s::json) AS r (session_id text, address text, kind text)
        WHERE NOT EXISTS (SELECT FROM chats AS c WHERE c.session_id = r.session_id AND c.address = r.address)
        ORDER BY r.session_id, r.address
        ON CONFLICT (session_id, address) DO NOTHING
        RETURNING session_id, address
        """,
        {"rows": rows},
    )
    inserted |= set(cast("Iterable[ChatAddress]", new))
    locked = connection.execute(
        """
        SELECT c.session_id, c.address, c.chat_id, c.merged_into
        FROM chats AS c
        JOIN json_to_recordset(%(rows)s::json) AS r (session_id text, address text) USING (session_id, address)
        ORDER BY c.session_id, c.address
        FOR UPDATE OF c
        """,
        {"rows": rows},
    )
    return _by_address(locked.fetchall())


def _addresses(connection: Connection, chat_ids: list[int]) -> set[ChatAddress]:
    if not chat_ids:
        return set()
    found = connection.execute("SELECT session_id, address FROM chats WHERE chat_id = ANY(%s)", [chat_ids])
    return set(cast("Iterable[ChatAddress]", found))


def lock_ids(connection: Connection, chat_ids: Collection[int]) -> None:
    """Lock existing chats in the order of their addresses."""
    connection.execute(
        "SELECT FROM chats AS c WHERE c.chat_id = ANY(%s) ORDER BY c.session_id, c.address FOR UPDATE", [list(chat_ids)]
    )


@contextmanager
def erased_chat_as_transient_error() -> Generator[None]:
    """Raise TransientError if a chat is missing.

    An erasure deleted a chat that was not locked; a retry inserts it again.
    """
    try:
        yield
    except psycopg.errors.ForeignKeyViolation as error:
        raise errors.TransientError("The chat was erased at the same moment; try again", error.sqlstate) from error


def find_canonical(connection: Connection, chat_id: int) -> tuple[str, int]:
    """Return the chat's session_id and the id of its canonical chat."""
    found = connection.execute(
        "SELECT session_id, canonical_chat_id FROM chats WHERE chat_id = %s", [chat_id]
    ).fetchone()
    assert found is not None, "chats are never deleted while messages are in them"
    return cast("tuple[str, int]", found)


def preferred_names(names: Iterable[ObservedName]) -> dict[ChatAddress, ObservedName]:
    """Return the preferred name of each address: the greatest by (quality, time, digest)."""
    preferred: dict[ChatAddress, ObservedName] = {}
    for name in names:
        address = (name.session_id, name.display_name.address)
        other = preferred.setdefault(address, name)
        if other is not name and _precedence(name) > _precedence(other):
            preferred[address] = name
    return preferred


def set_names(connection: Connection, names: Collection[ObservedName]) -> None:
    """Store these names, one per address, if they are greater than the stored ones by (quality, time, digest)."""
    if names:
        connection.execute(
            """
            UPDATE chats AS c
            SET own_name = r.name, own_name_quality = r.quality, own_name_at = r.at,
                own_name_digest = decode(r.digest, 'hex')
            FROM json_to_recordset(%(rows)s::json)
                AS r (session_id text, address text, name text, quality smallint, at bigint, digest text)
            WHERE c.session_id = r.session_id AND c.address = r.address
                AND (c.own_name IS NULL OR (c.own_name_quality, c.own_name_at, c.own_name_digest)
                    < (r.quality, r.at, decode(r.digest, 'hex')))
            """,
            {
                "rows": json_rows.encode(
                    {
                        "session_id": name.session_id,
                        "address": name.display_name.address,
                        "name": name.display_name.name,
                        "quality": name.display_name.quality,
                        "at": name.observed_at,
                        "digest": name.digest,
                    }
                    for name in names
                )
            },
        )


_precedence: Callable[[ObservedName], tuple[int, int, bytes]] = attrgetter(
    "display_name.quality", "observed_at", "digest"
)
