"""Finds sends without a known result: sends of crashed processes, and sends to reconcile with the gateway."""

from collections.abc import Collection
from typing import cast
from uuid import UUID

from store.feed import changes
from store.feed.changes import Change
from store.postgres import errors
from store.postgres.connections import Connection
from store.sending import send_query, sends
from store.sending.sends import Send

MAX_ANSWER_SECONDS = 120
"""The time in seconds after which no process can still be waiting for an answer: twice the longest call (that of a
video).
"""
MAX_QUEUED_SECONDS = 120
"""The time in seconds after which the gateway's queue cannot contain the message any more. It drops one after about 20.
"""


def mark_interrupted(connection: Connection, owner: str) -> list[UUID]:
    """Mark the sends that can get no answer as unknown and return their ids.

    The process of such a send is gone, or the send is too old. A process is alive as long as it has a connection.
    `owner` is the calling process: if PostgreSQL does not list its connections, as behind some poolers, it does not
    list those of other processes either, and only the age decides.
    """
    with errors.translated(), connection.transaction():
        rows = connection.execute(
            """
            WITH alive AS MATERIALIZED (SELECT application_name AS owner FROM pg_stat_activity)
            UPDATE sends AS s
            SET state = 'unknown', code = 'interrupted', completed_at = clock_timestamp(), rev = s.rev + 1,
                reason = 'the process ended before it recorded the answer of the gateway'
            FROM chats AS c
            WHERE s.state = 'accepted' AND c.chat_id = s.chat_id
                AND (
                    s.created_at < now() - make_interval(secs => %(max_seconds)s)
                    OR (
                        EXISTS (SELECT FROM alive AS a WHERE a.owner = %(owner)s)
                        AND NOT EXISTS (SELECT FROM alive AS a WHERE a.owner = s.owner)
                    )
                )
            RETURNING s.send_id, s.session_id, c.canonical_chat_id
            """,
            {"max_seconds": MAX_ANSWER_SECONDS, "owner": owner},
        ).fetchall()
        interrupted = cast("list[tuple[UUID, str, int]]", rows)
        changes.publish(connection, [Change("send", name, chat, send_id=send) for send, name, chat in interrupted])
    return [send_id for send_id, _, _ in interrupted]


def expire_queued(connection: Connection) -> list[UUID]:
    """Mark sends as unknown that the gateway queued too long ago, and return their ids.

    The queue has sent or dropped them, but does not report which.
    """
    with errors.translated(), connection.transaction():
        rows = connection.execute(
            """
            UPDATE sends AS s
            SET state = 'unknown', code = 'queue_expired', rev = s.rev + 1,
                reason = 'SAK queued it, drops what it cannot send within about 20 s, and does not say which it did'
            FROM chats AS c
            WHERE s.state = 'queued' AND c.chat_id = s.chat_id
                AND s.completed_at < now() - make_interval(secs => %(max_seconds)s)
            RETURNING s.send_id, s.session_id, c.canonical_chat_id
            """,
            {"max_seconds": MAX_QUEUED_SECONDS},
        ).fetchall()
        expired = cast("list[tuple[UUID, str, int]]", rows)
        changes.publish(connection, [Change("send", name, chat, send_id=send) for send, name, chat in expired])
    return [send_id for send_id, _, _ in expired]


def find(connection: Connection, sessions: Collection[str] | None = None, limit: int = 500) -> list[Send]:
    """Return the unknown and the queued sends, oldest first."""
    with errors.translated():
        rows = connection.execute(
            f"""
            {send_query.SELECT}
            WHERE s.state IN ('queued', 'unknown')
                AND (%(sessions)s::text[] IS NULL OR s.session_id = ANY(%(sessions)s))
            ORDER BY s.timestamp
            LIMIT %(limit)s
            """,
            {"sessions": None if sessions is None else list(sessions), "limit": limit},
        )
        return [sends.from_row(row) for row in rows]


def ids_of_other_sends(connection: Connection, send: Send, candidate_ids: Collection[str]) -> set[str]:
    """Return those of these message ids of the gateway that belong to other sends.

    Sends known only from the gateway's list are left out; reconciliation assigns those.
    """
    with errors.translated():
        rows = connection.execute(
            """
            SELECT s.message_id FROM sends AS s
            WHERE s.session_id = %(session_id)s AND s.message_id = ANY(%(candidates)s) AND s.send_id <> %(send_id)s
                AND s.owner <> %(listed)s
            UNION
            SELECT s.gateway_id FROM sends AS s
            WHERE s.session_id = %(session_id)s AND s.gateway_id = ANY(%(candidates)s) AND s.send_id <> %(send_id)s
            """,
            {
                "session_id": send.session_id,
                "candidates": list(candidate_ids),
                "send_id": send.send_id,
                "listed": sends.LISTED_OWNER,
            },
        ).fetchall()
    return {cast("str", candidate) for (candidate,) in rows}


def count_indistinguishable(connection: Connection, send: Send, status: str, window_ms: int) -> int:
    """Count the other sends that may have caused an entry with this status in the gateway's log.

    They are in the same chat and within `window_ms` of the send, and either have an unknown result, or have this status
    and no id from the gateway.
    """
    with errors.translated():
        row = connection.execute(
            """
            SELECT count(*)
            FROM sends AS s
            JOIN sends AS original ON original.chat_id = s.chat_id
            WHERE original.send_id = %(send_id)s AND s.send_id <> %(send_id)s AND s.key_id IS NULL
                AND s.kind = original.kind
                AND s.timestamp BETWEEN original.timestamp - %(window_ms)s AND original.timestamp + %(window_ms)s
                AND (s.state IN ('accepted', 'unknown') OR (s.state = %(status)s AND s.gateway_id IS NULL))
            """,
            {"send_id": send.send_id, "status": status, "window_ms": window_ms},
        ).fetchone()
    assert row is not None, "a count is a row"
    return cast("int", row[0])
