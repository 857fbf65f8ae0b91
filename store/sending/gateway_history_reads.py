"""Records how far the gateway's list of sent messages has been read, so that processes take turns and can resume."""

from dataclasses import asdict, dataclass
from typing import cast

from store.postgres import errors
from store.postgres.connections import Connection


@dataclass(frozen=True, slots=True)
class ReadPosition:
    """A position in the list, which is read from its newest entry back to `read_until`.

    Times are in ms by the gateway's clock.
    """

    read_until: int | None
    """The newest entry of the last complete read, or None if there was none."""
    newest_at: int | None = None
    """The newest entry of a read that is not complete, or None if a new read begins."""
    seen: int = 0
    """The number of entries that this read has seen, which is the offset at which it continues."""


def claim(connection: Connection, session_id: str, seconds: float) -> ReadPosition | None:
    """Return the position if the caller should read now, else None.

    After a claim, every call returns None for `seconds`.

    The first read is due this many seconds after the first claim.
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
            {"session_id": session_id, **asdict(position)},
        )


def fail(connection: Connection, session_id: str, seconds: float, max_seconds: float) -> None:
    """Record a failed read.

    The next one is due after `seconds`, doubled with each consecutive failure up to `max_seconds`.
    """
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
