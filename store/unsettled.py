"""Sends of which nobody knows yet what became: those that a crash left behind, and those worth another look."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import cast
from uuid import UUID

from store import changes, errors, sends
from store.changes import Change
from store.connect import Connection
from store.sends import Send

LONGEST = 90
"""Seconds after which nobody can still be waiting for the gateway's answer, three times what it is given."""


def abandon(connection: Connection, owner: str) -> list[UUID]:
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
            RETURNING s.send_id, s.session_id, coalesce(c.merged_into, c.chat_id)
            """,
            {"longest": LONGEST, "owner": owner},
        ).fetchall()
        changes.publish(
            connection,
            [
                Change("send", cast("str", session_id), cast("int", head), send=str(send_id))
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


@dataclass(frozen=True, slots=True)
class Rivals:
    """What keeps a pairing from being the only possible one."""

    taken: frozenset[str]
    """Of the gateway's numbers, those that other sends or their messages have."""
    alike: int
    """Other sends that are as unknown and could as well be meant."""


def rivals(connection: Connection, send: Send, numbers: Collection[str], before: int, after: int) -> Rivals:
    """Who else could be meant by these numbers of the gateway, in a window of ms around the send."""
    with errors.translated():
        taken = connection.execute(
            """
            SELECT s.message_id FROM sends AS s
            WHERE s.session_id = %(session_id)s AND s.message_id = ANY(%(numbers)s) AND s.send_id <> %(send_id)s
            UNION
            SELECT s.gateway_id FROM sends AS s
            WHERE s.session_id = %(session_id)s AND s.gateway_id = ANY(%(numbers)s) AND s.send_id <> %(send_id)s
            """,
            {"session_id": send.session_id, "numbers": list(numbers), "send_id": send.send_id},
        ).fetchall()
        row = connection.execute(
            """
            SELECT count(*)
            FROM sends AS s
            WHERE s.state IN ('accepted', 'unknown') AND s.session_id = %(session_id)s AND s.address = %(address)s
                AND s.kind = %(kind)s AND s.send_id <> %(send_id)s
                AND s.timestamp BETWEEN %(timestamp)s - %(around)s AND %(timestamp)s + %(around)s
            """,
            {
                "session_id": send.session_id,
                "address": send.address,
                "kind": send.kind,
                "send_id": send.send_id,
                "timestamp": send.timestamp,
                "around": before + after,
            },
        ).fetchone()
    return Rivals(frozenset(cast("str", number) for (number,) in taken), cast("int", row[0]) if row else 0)
