"""Redrives that somebody asked for: what of the parked events is to be tried again, and how far that is."""

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from store.postgres import errors
from store.postgres.connections import Connection

MAX_ATTEMPTS = 3
"""So many workers may die over a redrive; then it is given up."""


@dataclass(frozen=True, slots=True)
class RedriveSelection:
    """Which of the parked events; the defaults choose all that were parked when it was asked."""

    sessions: tuple[str, ...] | None = None
    """The sessions that the asker may see; None: all, and what belongs to none."""
    digests: tuple[bytes, ...] | None = None
    reason: str | None = None

    @property
    def fingerprint(self) -> bytes:
        """The same for the same choice."""
        said = [
            None if self.sessions is None else sorted(set(self.sessions)),
            None if self.digests is None else sorted({digest.hex() for digest in self.digests}),
            self.reason,
        ]
        return hashlib.sha256(json.dumps(said).encode()).digest()


@dataclass(frozen=True, slots=True)
class RedriveRequest:
    redrive_id: int
    caller: str
    selection: RedriveSelection
    requested_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    event_count: int | None
    """How many events it is about; None: nobody looked yet."""
    still_parked: int | None
    failure: str | None

    @property
    def state(self) -> str:
        """waiting, running, done or failed."""
        if self.finished_at is not None:
            return "done" if self.failure is None else "failed"
        return "waiting" if self.started_at is None else "running"


def create(connection: Connection, caller: str, selection: RedriveSelection) -> RedriveRequest:
    """Write down what is to be tried again; an open redrive of the same choice is that redrive, whoever asked."""
    with errors.translated(), connection.transaction():
        connection.execute(
            """
            INSERT INTO redrive_requests (caller, sessions, digests, reason, fingerprint)
            VALUES (%(caller)s, %(sessions)s, %(digests)s, %(reason)s, %(fingerprint)s)
            ON CONFLICT (fingerprint) WHERE finished_at IS NULL DO NOTHING
            """,
            {
                "caller": caller,
                "sessions": None if selection.sessions is None else list(selection.sessions),
                "digests": None if selection.digests is None else list(selection.digests),
                "reason": selection.reason,
                "fingerprint": selection.fingerprint,
            },
        )
        row = connection.execute(
            """
            SELECT r.redrive_id, r.caller, r.sessions, r.digests, r.reason, r.requested_at, r.started_at, r.finished_at,
                r.event_count, r.still_parked, r.failure
            FROM redrive_requests AS r
            WHERE r.fingerprint = %(fingerprint)s
            -- Finished in this very moment: that is one that was asked for as well.
            ORDER BY r.redrive_id DESC
            LIMIT 1
            """,
            {"fingerprint": selection.fingerprint},
        ).fetchone()
    assert row is not None, "it was just written, or was there"
    return _request_from_row(row)


def get(connection: Connection, redrive_id: int) -> RedriveRequest | None:
    """The redrive of this number."""
    row = connection.execute(
        """
        SELECT r.redrive_id, r.caller, r.sessions, r.digests, r.reason, r.requested_at, r.started_at, r.finished_at,
            r.event_count, r.still_parked, r.failure
        FROM redrive_requests AS r
        WHERE r.redrive_id = %(redrive_id)s
        """,
        {"redrive_id": redrive_id},
    ).fetchone()
    return None if row is None else _request_from_row(row)


def has_pending(connection: Connection) -> bool:
    """Whether one is open."""
    with errors.translated():
        return (
            connection.execute("SELECT FROM redrive_requests WHERE finished_at IS NULL LIMIT 1").fetchone() is not None
        )


def claim(connection: Connection, *, survived: int | None = None) -> RedriveRequest | None:
    """The oldest open one, taken up once more; the caller is the only one to replay (store/replay/progress.py).

    `survived` is one that the caller had in hand before without dying of it.
    """
    with errors.translated():
        connection.execute(
            """
            UPDATE redrive_requests SET finished_at = now(), failure = 'Workers died of it.'
            WHERE finished_at IS NULL AND attempts >= %(attempts)s
            """,
            {"attempts": MAX_ATTEMPTS},
        )
        row = connection.execute(
            """
            UPDATE redrive_requests AS r
            SET attempts = CASE WHEN r.redrive_id = %(survived)s THEN 1 ELSE r.attempts + 1 END,
                started_at = coalesce(r.started_at, now())
            WHERE r.redrive_id = (
                SELECT o.redrive_id FROM redrive_requests AS o WHERE o.finished_at IS NULL ORDER BY o.redrive_id LIMIT 1
            )
            RETURNING r.redrive_id, r.caller, r.sessions, r.digests, r.reason, r.requested_at, r.started_at,
                r.finished_at,
                r.event_count, r.still_parked, r.failure
            """,
            {"survived": survived},
        ).fetchone()
    return None if row is None else _request_from_row(row)


def start(connection: Connection, request: RedriveRequest) -> list[int]:
    """The events that it is about, the earliest first; how many there were at first is noted once."""
    with errors.translated(), connection.transaction():
        events = select_event_ids(connection, request.selection, request.requested_at)
        connection.execute(
            "UPDATE redrive_requests SET event_count = coalesce(event_count, %s), still_parked = %s "
            "WHERE redrive_id = %s",
            [len(events), len(events), request.redrive_id],
        )
    return events


def save_progress(connection: Connection, request: RedriveRequest, *, done: bool, failure: str | None = None) -> None:
    """Note how many are still parked, and with `done` that there is nothing more to try; nobody died this far."""
    with errors.translated(), connection.transaction():
        connection.execute(
            """
            UPDATE redrive_requests
            SET still_parked = %(left)s, finished_at = CASE WHEN %(done)s THEN now() END, attempts = 0,
                failure = %(failure)s
            WHERE redrive_id = %(redrive_id)s
            """,
            {
                "left": len(select_event_ids(connection, request.selection, request.requested_at)),
                "done": done,
                "failure": failure,
                "redrive_id": request.redrive_id,
            },
        )


def select_event_ids(connection: Connection, selection: RedriveSelection, requested_at: datetime) -> list[int]:
    """The numbers of those events of a choice that are parked still, the earliest first."""
    found = connection.execute(
        """
        SELECT p.event_id
        FROM parked_events AS p
        WHERE p.event_id IS NOT NULL AND p.parked_at <= %(asked_at)s
            AND (%(sessions)s::text[] IS NULL OR p.session_id = ANY(%(sessions)s))
            AND (%(digests)s::bytea[] IS NULL OR p.digest = ANY(%(digests)s))
            AND (%(reason)s::text IS NULL OR p.reason = %(reason)s)
        ORDER BY p.event_id
        """,
        {
            "asked_at": requested_at,
            "sessions": None if selection.sessions is None else list(selection.sessions),
            "digests": None if selection.digests is None else list(selection.digests),
            "reason": selection.reason,
        },
    )
    return [cast("int", event_id) for (event_id,) in found]


def _request_from_row(row: tuple[object, ...]) -> RedriveRequest:
    redrive_id, caller, sessions, digests, reason, *rest = row
    seen = None if sessions is None else tuple(cast("Collection[str]", sessions))
    chosen = None if digests is None else tuple(cast("Collection[bytes]", digests))
    return RedriveRequest(
        cast("int", redrive_id),
        cast("str", caller),
        RedriveSelection(seen, chosen, cast("str | None", reason)),
        *rest,  # pyright: ignore[reportArgumentType] - the columns are the fields
    )
