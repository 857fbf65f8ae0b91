"""Merges the earlier history of a session into its account, in short steps, while workers continue to write.

First, people who were erased from other sessions of the account are erased from this session, so that they do not
reappear. Second, the message keys of the session are replaced by those of the account. Third, its chats are merged into
those of the primary session, page by page, as LIDs are merged into phones. If a worker dies, another one continues.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, LiteralString, cast

from store.erasure import jobs, joined_sessions
from store.erasure.suppressions import SuppressionCache
from store.feed import changes
from store.history.chats import chats, lid_aliases
from store.history.fold import Fold
from store.history.messages import account_keys
from store.history.sessions import accounts
from store.history.sessions.accounts import Accounts
from store.model.keys import ChatAddress
from store.postgres import json_rows
from store.postgres.connections import Connection

KEYS_PER_STEP = 500
CHATS_PER_STEP = 50
_DONE: Final = {"done": joined_sessions.DONE}
_IS_DUE: LiteralString = "a.session_number <> a.primary_number AND (NOT a.is_merged OR a.erased_upto < %(done)s)"
_FIND_DUE: LiteralString = f"SELECT FROM account_sessions AS a WHERE {_IS_DUE} LIMIT 1"


@dataclass(frozen=True, slots=True)
class JoinedSession:
    """A session whose history is not merged yet."""

    number: int
    session_id: str
    primary_id: str
    erased_upto: int


def run_step(connection: Connection, suppressions: SuppressionCache) -> bool:
    """Run the next step in one transaction. Return False if there is none, or if an erasure must end first.

    Raises SuppressionKeyError, and TransientError, after which the call can be repeated.
    """
    if connection.execute(_FIND_DUE, _DONE).fetchone() is None:
        return False
    with connection.transaction():
        # Like all writers, take the lock of the suppressions before those of the history: an erasure must not miss rows
        # that are being written.
        suppression_set = suppressions.current(connection)
        session = _claim(connection)
        if session is None:
            return False
        known_accounts = accounts.lock(connection)
        if session.erased_upto < joined_sessions.DONE:
            session_ids = known_accounts.sessions_of(session.session_id)
            upto = joined_sessions.record_erasures(connection, suppression_set, session_ids, session.erased_upto)
            connection.execute(
                "UPDATE account_sessions SET erased_upto = %s WHERE session_number = %s", [upto, session.number]
            )
        elif jobs.has_pending(connection):
            return False
        elif not _merge_keys(connection, session, known_accounts) and not _merge_chats(
            connection, session, known_accounts
        ):
            connection.execute(
                "UPDATE account_sessions SET is_merged = true WHERE session_number = %s", [session.number]
            )
    return True


def _claim(connection: Connection) -> JoinedSession | None:
    """Return the next session that no other worker is merging."""
    row = connection.execute(
        f"""
        SELECT s.session_number, s.session_id, p.session_id, a.erased_upto
        FROM account_sessions AS a
        JOIN sessions AS s USING (session_number)
        JOIN sessions AS p ON p.session_number = a.primary_number
        WHERE {_IS_DUE}
        ORDER BY s.session_number
        LIMIT 1
        FOR UPDATE OF a SKIP LOCKED
        """,
        _DONE,
    ).fetchone()
    return None if row is None else JoinedSession(*cast("tuple[int, str, str, int]", row))


def _merge_keys(connection: Connection, session: JoinedSession, known_accounts: Accounts) -> bool:
    """Replace the next keys of the session by those of the account. Return False if there are none."""
    found = connection.execute(
        """
        SELECT k.message_id FROM message_keys AS k
        WHERE k.session_number = %s
        ORDER BY k.message_id
        LIMIT %s
        """,
        [session.number, KEYS_PER_STEP],
    )
    message_ids = [cast("str", message_id) for (message_id,) in found]
    if not message_ids:
        return False
    key_ids = account_keys.merge(connection, session.session_id, session.primary_id, message_ids)
    locked = chats.lock(connection, chats.addresses_of_keys(connection, key_ids), known_accounts)
    folding = Fold(connection, [], [], {}, locked, known_accounts)
    folding.recompute(sorted(key_ids))
    folding.refresh_summaries()
    changes.publish(connection, folding.changes)
    return True


def _merge_chats(connection: Connection, session: JoinedSession, known_accounts: Accounts) -> bool:
    """Merge the next chats of the session into those of the primary session. Return False if all are merged."""
    page = _unmerged_chats(connection, session)
    if not page:
        return False
    evidence = _evidence_addresses(connection, page)
    wanted = lid_aliases.related(connection, page | evidence, known_accounts)
    folding = Fold(connection, [], [], {}, chats.lock(connection, wanted, known_accounts), known_accounts)
    connection.execute(
        _MOVE_EVIDENCE,
        {
            "session": session.session_id,
            "primary": session.primary_id,
            "addresses": sorted({address for _, address in page | evidence}),
        },
    )
    aliases = lid_aliases.recheck_related(connection, page | evidence, folding.chats_by_address, known_accounts)
    folding.recompute(sorted(folding.remap_lids(aliases)))
    folding.refresh_summaries()
    changes.publish(connection, folding.changes)
    return True


def _unmerged_chats(connection: Connection, session: JoinedSession) -> set[ChatAddress]:
    """Return the next chats that do not follow the primary session, and aliases with evidence of their own."""
    found = connection.execute(
        """
        (
            SELECT c.session_id, c.address
            FROM chats AS c
            LEFT JOIN chats AS p ON p.session_id = %(primary)s AND p.address = c.address
            WHERE c.session_id = %(session)s
                AND (p.chat_id IS NULL OR c.merged_into IS DISTINCT FROM p.canonical_chat_id)
            ORDER BY c.address
            LIMIT %(limit)s
        )
        UNION
        (
            SELECT a.session_id, a.lid FROM lid_aliases AS a
            WHERE a.session_id = %(session)s
            ORDER BY a.lid
            LIMIT %(limit)s
        )
        """,
        {"session": session.session_id, "primary": session.primary_id, "limit": CHATS_PER_STEP},
    )
    return set(cast("Iterable[ChatAddress]", found))


def _evidence_addresses(connection: Connection, page: Iterable[ChatAddress]) -> set[ChatAddress]:
    """Return both sides of the session's own evidence on these addresses."""
    found = connection.execute(
        """
        SELECT a.session_id, side.address
        FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (session_id text, address text)
        JOIN lid_aliases AS a ON a.session_id = r.session_id AND (a.lid = r.address OR a.phone = r.address)
        CROSS JOIN LATERAL (VALUES (a.lid), (a.phone)) AS side (address)
        """,
        {"rows": json_rows.encode({"session_id": session_id, "address": address} for session_id, address in page)},
    )
    return set(cast("Iterable[ChatAddress]", found))


_MOVE_EVIDENCE = """
    WITH moved AS (
        DELETE FROM lid_aliases AS a
        WHERE a.session_id = %(session)s AND a.lid = ANY(%(addresses)s) AND a.phone = ANY(%(addresses)s)
        RETURNING a.lid, a.phone, a.observed_at, a.digest
    )
    INSERT INTO lid_aliases AS a (session_id, lid, phone, observed_at, digest)
    SELECT %(primary)s, m.lid, m.phone, m.observed_at, m.digest
    FROM moved AS m
    ORDER BY m.lid, m.phone
    ON CONFLICT (session_id, lid, phone) DO UPDATE
    SET observed_at = excluded.observed_at, digest = excluded.digest
    WHERE (a.observed_at, a.digest) < (excluded.observed_at, excluded.digest)
"""
