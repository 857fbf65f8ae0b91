"""Stores the progress of replays, so that an interrupted one can resume, and locks out concurrent replays."""

import json
import time
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

from store.postgres import advisory_locks
from store.postgres.connections import Connection
from store.replay.report import ReplayReport

ReplayStage: TypeAlias = Literal["retractions", "events", "removals", "chats", "done"]

LOCK_WAIT = 6.0
"""The time in seconds to wait for the lock. PostgreSQL notices after five that a client died
(store/postgres/connections.py).
"""


class ReplayRunningError(Exception):
    """Another replay or redrive is running on this database."""


@dataclass(slots=True)
class ReplayProgress:
    replay_id: int | None
    """None for a dry run, whose progress is not stored."""
    stage: ReplayStage
    last_event_id: int
    report: ReplayReport


def lock(connection: Connection, wait_seconds: float = LOCK_WAIT) -> None:
    """Take the replay lock for the lifetime of the connection. Raises ReplayRunningError.

    Waits for some seconds, because PostgreSQL may still hold the connection of a replay that was killed.
    """
    deadline = time.monotonic() + wait_seconds
    while not advisory_locks.try_acquire_for_connection(connection, advisory_locks.REPLAY):
        if time.monotonic() > deadline:
            raise ReplayRunningError("Another replay or redrive runs on this database: wait until it ends.")
        time.sleep(0.05)


def resume(connection: Connection, parser: str) -> ReplayProgress | None:
    """Return the newest replay if it is unfinished and was started with the same parser."""
    row = connection.execute(
        """
        SELECT r.replay_id, r.stage, r.last_event_id, r.report
        FROM replays AS r
        WHERE r.parser = %s AND r.finished_at IS NULL AND r.replay_id = (SELECT max(n.replay_id) FROM replays AS n)
        """,
        [parser],
    ).fetchone()
    if row is None:
        return None
    replay_id, stage, last_event_id, report = cast("tuple[int, ReplayStage, int, dict[str, object]]", row)
    return ReplayProgress(replay_id, stage, last_event_id, ReplayReport.from_json(report))


def start(connection: Connection, parser: str) -> ReplayProgress:
    """Store a new replay that starts at the first event."""
    row = connection.execute("INSERT INTO replays (parser) VALUES (%s) RETURNING replay_id", [parser]).fetchone()
    assert row is not None
    return ReplayProgress(cast("int", row[0]), "retractions", 0, ReplayReport())


def save(connection: Connection, progress: ReplayProgress) -> None:
    """Save the progress in the transaction of the step."""
    if progress.replay_id is None:
        return
    connection.execute(
        """
        UPDATE replays
        SET stage = %(stage)s, last_event_id = %(last_event_id)s, report = %(report)s::jsonb,
            finished_at = CASE WHEN %(stage)s = 'done' THEN now() END
        WHERE replay_id = %(replay_id)s
        """,
        {
            "stage": progress.stage,
            "last_event_id": progress.last_event_id,
            "report": json.dumps(progress.report.to_json()),
            "replay_id": progress.replay_id,
        },
    )
