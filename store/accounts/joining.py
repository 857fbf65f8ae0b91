"""Joins sessions with the same phone number to an account.

The number is the one that a session reports, or else the configured one. A session that has joined keeps its account,
whatever number it reports later. A session that was linked to another number does not join by itself
(store/history/sessions/session_phones.py).
"""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence

from store.history.sessions import session_phones
from store.history.sessions.session_phones import SessionPhones
from store.postgres import advisory_locks, errors
from store.postgres.connections import Connection

log = logging.getLogger(__name__)


def join_due(connection: Connection, configured: Mapping[str, str] | None = None, own_phone: str | None = None) -> int:
    """Join the sessions of each number that has several. Return the number of accounts that changed.

    `configured` contains phones by the name of the sender, with which the ids of its sessions begin (`shop:default`).
    `own_phone` is the number of SAK's session, if configured. A number that a session reports takes precedence.
    """
    with errors.translated():
        sessions = _by_phone(connection, configured or {}, own_phone)
        due = {phone: group for phone, group in sessions.items() if _is_due(group)}
        for phone, group in due.items():
            with connection.transaction():
                join(connection, [session.session_number for session in group], phone)
            log.info("the sessions of one number are one account: %s", ", ".join(each.session_id for each in group))
    return len(due)


def _by_phone(
    connection: Connection, configured: Mapping[str, str], own_phone: str | None
) -> Mapping[str, Sequence[SessionPhones]]:
    """Return the sessions of each number, in the order in which they were first seen."""
    found = session_phones.read(connection)
    of_sak = [session.session_id for session in found if ":" not in session.session_id]
    sessions: defaultdict[str, list[SessionPhones]] = defaultdict(list)
    for session in found:
        sender, colon, _ = session.session_id.partition(":")
        # If SAK has several sessions, it is not known which of them the setting means.
        stated = configured.get(sender) if colon else own_phone if len(of_sak) == 1 else None
        phone = session.account or session.latest or session_phones.in_standard_spelling(stated)
        # The history under its other number would be joined as well, unless the owner states the number.
        may_join = (
            session.account is not None
            or not session.is_relinked
            or phone == session_phones.in_standard_spelling(stated)
        )
        if phone is not None and may_join:
            sessions[phone].append(session)
    return sessions


def _is_due(group: Sequence[SessionPhones]) -> bool:
    return len(group) > 1 and any(session.primary_number != group[0].session_number for session in group)


def join(connection: Connection, session_numbers: Sequence[int], account: str) -> None:
    """Join these sessions in the caller's transaction, which waits for all writers of the history and holds them up."""
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
        SET primary_number = excluded.primary_number, account = excluded.account, is_merged = excluded.is_merged,
            erased_upto = excluded.erased_upto
        WHERE a.primary_number <> excluded.primary_number
        """,
        {"primary": min(session_numbers), "account": account, "sessions": list(session_numbers)},
    )
