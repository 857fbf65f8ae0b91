"""How far the gateway's list of sent messages has been read: processes take turns, and a restart goes on."""

from dataclasses import dataclass
from typing import cast

from store.postgres import errors
from store.postgres.connections import Connection


@dataclass(frozen=True, slots=True)
class ReadPosition:
    """The list is read from its newest entry back to `read_until`; times in ms, by the gateway's clock."""

    read_until: int | None
    """The newest entry of the last complete read; None: there was none."""
    newest_at: int | None = None
    """The newest entry of a read that is not complete; None: the next read begins."""
    seen: int = 0
    """The entries that this read has seen, so the offset at which it goes on."""


def claim(connection: Connection, session_id: str, seconds: float) -> ReadPosition | None:
    """The position if the caller shall read now, else None; no other process reads for so many seconds.

    The first read is due as many seconds after the first claim.
    """
    with errors.translated(), connection.transaction():
        connection.execute(
            """
            INSERT INTO gateway_history_reads (session_id, next_read_at)
            VALUES (%(session_id)s, now() + make_interval(secs => %(seconds)s))
            ON CONFLICT (session_id) DO NOTHING
            """,
            {"session_id": session_id, "seconds": seconds},
        )
        row = connection.execute(
            """
            UPDATE gateway_history_reads
            SET next_read_at = now() + make_interval(secs => %(seconds)s)
            WHERE session_id = %(session_id)s AND next_read_at <= now()
            RETURNING read_until, newest_at, seen
            """,
            {"session_id": session_id, "seconds": seconds},
        ).fetchone()
    return None if row is None else ReadPosition(*cast("tuple[int | None, int | None, int]", row))


def advance(connection: Connection, session_id: str, position: ReadPosition) -> None:
    """Record a successful read."""
    with errors.translated():
        connection.execute(
            """
            UPDATE gateway_history_reads
            SET read_until = %(read_until)s, newest_at = %(newest_at)s, seen = %(seen)s, failures = 0
            WHERE session_id = %(session_id)s
            """,
            {
                "session_id": session_id,
                "read_until": position.read_until,
                "newest_at": position.newest_at,
                "seen": position.seen,
            },
        )


def fail(connection: Connection, session_id: str, seconds: float, max_seconds: float) -> None:
    """Record a failed read: the next is due in so many seconds, doubled with each failure in a row."""
    with errors.translated():
        connection.execute(
            """
            UPDATE gateway_history_reads
            SET failures = failures + 1,
                next_read_at = now()
                    + make_interval(secs => least(%(seconds)s * 2 ^ least(failures, 16), %(max_seconds)s))
            WHERE session_id = %(session_id)s
            """,
            {"session_id": session_id, "seconds": seconds, "max_seconds": max_seconds},
        )
