"""Sends of which nobody knows yet what became: those that a crash left behind, and those worth another look."""

from collections.abc import Collection
from typing import cast
from uuid import UUID

from store.feed import changes
from store.feed.changes import Change
from store.postgres import errors
from store.postgres.connections import Connection
from store.sending import sends
from store.sending.sends import Send

MAX_ANSWER_SECONDS = 90
"""Seconds after which nobody can still be waiting for the gateway's answer, three times what it is given."""


def mark_interrupted(connection: Connection, owner: str) -> list[UUID]:
    """Mark as unknown what was recorded and will never be answered: its process is gone, or it is too old.

    A process lives while one of its connections does. `owner` is the asking process: if PostgreSQL does not show it
    itself, as behind some poolers, it shows nobody, and age alone decides.
    """
    with errors.translated(), connection.transaction():
        found = connection.execute(
            """
            WITH living AS MATERIALIZED (SELECT application_name AS owner FROM pg_stat_activity)
            UPDATE sends AS s
            SET state = 'unknown', code = 'interrupted', completed_at = clock_timestamp(), rev = s.rev + 1,
                reason = 'the process that asked the gateway ended before its answer was written down'
            FROM chats AS c
            WHERE s.state = 'accepted' AND c.chat_id = s.chat_id
                AND (
                    s.created_at < now() - make_interval(secs => %(longest)s)
                    OR (
                        EXISTS (SELECT FROM living AS l WHERE l.owner = %(owner)s)
                        AND NOT EXISTS (SELECT FROM living AS l WHERE l.owner = s.owner)
                    )
                )
            RETURNING s.send_id, s.session_id, c.canonical_chat_id
            """,
            {"longest": MAX_ANSWER_SECONDS, "owner": owner},
        ).fetchall()
        changes.publish(
            connection,
            [
                Change("send", cast("str", session_id), cast("int", head), send_id=str(send_id))
                for send_id, session_id, head in found
            ],
        )
    return [cast("UUID", send_id) for send_id, _, _ in found]


def find(connection: Connection, sessions: Collection[str] | None = None, limit: int = 500) -> list[Send]:
    """The unknown and the queued sends, oldest first."""
    with errors.translated():
        found = connection.execute(
            """
            SELECT s.send_id
            FROM sends AS s
            WHERE s.state IN ('queued', 'unknown')
                AND (%(sessions)s::text[] IS NULL OR s.session_id = ANY(%(sessions)s))
            ORDER BY s.timestamp
            LIMIT %(limit)s
            """,
            {"sessions": None if sessions is None else list(sessions), "limit": limit},
        ).fetchall()
        known = [sends.get(connection, cast("UUID", send_id)) for (send_id,) in found]
    return [send for send in known if send is not None]


def ids_of_other_sends(connection: Connection, send: Send, candidate_ids: Collection[str]) -> set[str]:
    """Which of these numbers of the gateway's belong to other sends."""
    with errors.translated():
        found = connection.execute(
            """
            SELECT s.message_id FROM sends AS s
            WHERE s.session_id = %(session_id)s AND s.message_id = ANY(%(numbers)s) AND s.send_id <> %(send_id)s
            UNION
            SELECT s.gateway_id FROM sends AS s
            WHERE s.session_id = %(session_id)s AND s.gateway_id = ANY(%(numbers)s) AND s.send_id <> %(send_id)s
            """,
            {"session_id": send.session_id, "numbers": list(candidate_ids), "send_id": send.send_id},
        ).fetchall()
    return {cast("str", number) for (number,) in found}


def count_indistinguishable(connection: Connection, send: Send, status: str, window_ms: int) -> int:
    """How many other sends could have made an entry of the gateway's that has this status, `around` ms of the send.

    Those that may still have had any end, and those that had this one without a number to tell them by.
    """
    with errors.translated():
        row = connection.execute(
            """
            SELECT count(*)
            FROM sends AS s
            JOIN sends AS about ON about.chat_id = s.chat_id
            WHERE about.send_id = %(send_id)s AND s.send_id <> %(send_id)s AND s.key_id IS NULL
                AND s.kind = about.kind
                AND s.timestamp BETWEEN about.timestamp - %(around)s AND about.timestamp + %(around)s
                AND (s.state IN ('accepted', 'unknown') OR (s.state = %(status)s AND s.gateway_id IS NULL))
            """,
            {"send_id": send.send_id, "status": status, "around": window_ms},
        ).fetchone()
    assert row is not None, "a count is a row"
    return cast("int", row[0])
