"""Joins sessions of one phone number to an account: that of the sender's configuration, else the reported one.

A session that has joined keeps its account, whatever number it reports later (store/history/accounts.py).
"""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from store.model import national_spellings
from store.postgres import advisory_locks, errors
from store.postgres.connections import Connection

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class NumberedSession:
    number: int
    session_id: str
    primary_number: int | None
    """None: it has not joined an account."""


def join_due(connection: Connection, configured: Mapping[str, str] | None = None, own_phone: str | None = None) -> int:
    """Join the sessions of each number that has several; returns the number of accounts that changed.

    `configured` has the phone by the name of the sender, with which the ids of its sessions begin (`shop:default`).
    `own_phone` is the number of SAK's session, if it has one and that reported none.
    """
    with errors.translated():
        sessions = _by_phone(connection, configured or {}, own_phone)
        due = {phone: group for phone, group in sessions.items() if _is_due(group)}
        for phone, group in due.items():
            with connection.transaction():
                join(connection, [session.number for session in group], phone)
            log.info("the sessions of one number are one account: %s", ", ".join(each.session_id for each in group))
    return len(due)


def _by_phone(
    connection: Connection, configured: Mapping[str, str], own_phone: str | None
) -> Mapping[str, Sequence[NumberedSession]]:
    """The sessions of each number, in the order in which they were first seen."""
    found = connection.execute(
        """
        SELECT s.session_number, s.session_id, a.primary_number, a.account,
            CASE WHEN w.phone_at > coalesce(s.phone_at, 0) THEN w.phone ELSE s.phone END
        FROM sessions AS s
        LEFT JOIN session_checks AS w USING (session_id)
        LEFT JOIN account_sessions AS a USING (session_number)
        ORDER BY s.session_number
        """
    )
    rows = cast("list[tuple[int, str, int | None, str | None, str | None]]", found.fetchall())
    of_sak = [session_id for _, session_id, *_ in rows if ":" not in session_id]
    sessions: defaultdict[str, list[NumberedSession]] = defaultdict(list)
    for number, session_id, primary, account, reported in rows:
        known = configured.get(session_id.partition(":")[0]) if ":" in session_id else None
        # Of several sessions, the one that the setting means is not known.
        phone = known or reported or (own_phone if of_sak == [session_id] else None)
        if account is not None:
            sessions[account].append(NumberedSession(number, session_id, primary))
        elif phone is not None:
            sessions[national_spellings.standard(phone) or phone].append(NumberedSession(number, session_id, primary))
    return sessions


def _is_due(group: Sequence[NumberedSession]) -> bool:
    return len(group) > 1 and any(session.primary_number != group[0].number for session in group)


def join(connection: Connection, session_numbers: Sequence[int], account: str) -> None:
    """Join these sessions in the caller's transaction, which waits for all that write the history and holds them up."""
    connection.execute("SELECT pg_advisory_xact_lock(%s)", [advisory_locks.ACCOUNTS])
    connection.execute(
        """
        INSERT INTO account_sessions AS a (session_number, primary_number, account, first_at, is_merged)
        SELECT s.session_number, %(primary)s, %(account)s, (
                SELECT coalesce(min(e.last_at), extract(epoch FROM now())::bigint * 1000)
                FROM session_events AS e
                WHERE e.session_number = s.session_number
            ), s.session_number = %(primary)s
        FROM unnest(%(sessions)s::integer[]) AS s (session_number)
        ORDER BY s.session_number
        ON CONFLICT (session_number) DO UPDATE
        SET primary_number = excluded.primary_number, account = excluded.account, is_merged = excluded.is_merged
        WHERE a.primary_number <> excluded.primary_number
        """,
        {"primary": min(session_numbers), "account": account, "sessions": list(session_numbers)},
    )
