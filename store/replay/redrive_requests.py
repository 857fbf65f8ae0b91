"""Stores requests to redrive parked events. The API creates them and a worker executes them one at a time."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString, cast

from store.ledger import set_aside_events
from store.ledger.set_aside_events import SetAsideKind
from store.postgres import errors
from store.postgres.connections import Connection

MAX_ATTEMPTS = 3
"""The number of attempts after which a redrive is given up, if each of them ended with the death of its worker."""
_COLUMNS: LiteralString = """r.redrive_id, r.caller, r.sessions, r.digests, r.reason, r.kind, r.requested_at,
    r.started_at, r.finished_at, r.event_count, r.still_parked, r.failure"""


@dataclass(frozen=True, slots=True)
class RedriveSelection:
    """The events to redrive; by default all parked ones."""

    sessions: Sequence[str] | None = None
    """The sessions that the caller may see, or None for all sessions and for events without a session."""
    digests: Sequence[bytes] | None = None
    reason: str | None = None
    kind: SetAsideKind | None = "parked"
    """None for both parked events and noise."""

    @property
    def fingerprint(self) -> bytes:
        """A hash that is the same for equal selections."""
        fields = [
            None if self.sessions is None else sorted(set(self.sessions)),
            None if self.digests is None else sorted({digest.hex() for digest in self.digests}),
            self.reason,
            self.kind,
        ]
        return hashlib.sha256(json.dumps(fields).encode()).digest()

    @property
    def sql_parameters(self) -> dict[str, object]:
        return {
            "sessions": None if self.sessions is None else list(self.sessions),
            "digests": None if self.digests is None else list(self.digests),
            "reason": self.reason,
            "kind": self.kind,
        }


@dataclass(frozen=True, slots=True)
class RedriveRequest:
    redrive_id: int
    caller: str
    selection: RedriveSelection
    requested_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    event_count: int | None
    """The number of selected events, or None before the redrive starts."""
    still_parked: int | None
    failure: str | None

    @property
    def state(self) -> str:
        """One of waiting, running, done and failed."""
        if self.finished_at is not None:
            return "done" if self.failure is None else "failed"
        return "waiting" if self.started_at is None else "running"


def create(connection: Connection, caller: str, selection: RedriveSelection) -> RedriveRequest:
    """Store a request and return it. If any caller's request with this selection is open, return that instead."""
    with errors.translated(), connection.transaction():
        connection.execute(
            """
            INSERT INTO redrive_requests (caller, sessions, digests, reason, kind, fingerprint)
            VALUES (%(caller)s, %(sessions)s, %(digests)s, %(reason)s, %(kind)s, %(fingerprint)s)
            ON CONFLICT (fingerprint) WHERE finished_at IS NULL DO NOTHING
            """,
            {"caller": caller, **selection.sql_parameters, "fingerprint": selection.fingerprint},
        )
        # The open request may be completed between the two statements. It was open when this request was made.
        row = connection.execute(
            f"""
            SELECT {_COLUMNS}
            FROM redrive_requests AS r
            WHERE r.fingerprint = %(fingerprint)s
            ORDER BY r.redrive_id DESC
            LIMIT 1
            """,
            {"fingerprint": selection.fingerprint},
        ).fetchone()
    assert row is not None, "it was inserted, or existed"
    return _request_from_row(row)


def get(connection: Connection, redrive_id: int) -> RedriveRequest | None:
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM redrive_requests AS r WHERE r.redrive_id = %s",
        [redrive_id],
    ).fetchone()
    return None if row is None else _request_from_row(row)


def has_pending(connection: Connection) -> bool:
    """Return whether any request is open."""
    with errors.translated():
        found = connection.execute("SELECT FROM redrive_requests WHERE finished_at IS NULL LIMIT 1")
        return found.fetchone() is not None


def claim(connection: Connection, *, survived: int | None = None) -> RedriveRequest | None:
    """Return the oldest open request after counting another attempt. The caller holds the replay lock (progress.lock).

    `survived` is the id of a request that the caller attempted before without dying.
    """
    with errors.translated():
        connection.execute(
            """
            UPDATE redrive_requests
            SET finished_at = now(), failure = format('Given up: %%s workers died during it.', attempts)
            WHERE finished_at IS NULL AND attempts >= %(attempts)s
            """,
            {"attempts": MAX_ATTEMPTS},
        )
        row = connection.execute(
            f"""
            UPDATE redrive_requests AS r
            SET attempts = CASE WHEN r.redrive_id = %(survived)s THEN 1 ELSE r.attempts + 1 END,
                started_at = coalesce(r.started_at, now())
            WHERE r.redrive_id = (
                SELECT o.redrive_id FROM redrive_requests AS o WHERE o.finished_at IS NULL ORDER BY o.redrive_id LIMIT 1
            )
            RETURNING {_COLUMNS}
            """,
            {"survived": survived},
        ).fetchone()
    return None if row is None else _request_from_row(row)


def start(connection: Connection, request: RedriveRequest) -> list[int]:
    """Return the sorted ids of the selected events, and store their number."""
    with errors.translated(), connection.transaction():
        events = select_event_ids(connection, request.selection, request.requested_at)
        connection.execute(
            """
            UPDATE redrive_requests
            SET event_count = coalesce(event_count, %(count)s), still_parked = %(count)s
            WHERE redrive_id = %(redrive_id)s
            """,
            {"count": len(events), "redrive_id": request.redrive_id},
        )
    return events


def save_progress(connection: Connection, request: RedriveRequest, *, done: bool, failure: str | None = None) -> None:
    """Store how many events are still parked, and reset the number of attempts because the worker is alive."""
    with errors.translated(), connection.transaction():
        connection.execute(
            """
            UPDATE redrive_requests
            SET still_parked = %(still_parked)s, finished_at = CASE WHEN %(done)s THEN now() END, attempts = 0,
                failure = %(failure)s
            WHERE redrive_id = %(redrive_id)s
            """,
            {
                "still_parked": len(select_event_ids(connection, request.selection, request.requested_at)),
                "done": done,
                "failure": failure,
                "redrive_id": request.redrive_id,
            },
        )


def select_event_ids(connection: Connection, selection: RedriveSelection, until: datetime | None = None) -> list[int]:
    """Return the sorted ids of the selected events that are set aside (by default until now) and have a body."""
    found = connection.execute(
        f"""
        SELECT p.event_id
        FROM {set_aside_events.BOTH_TABLES} AS p
        WHERE p.event_id IS NOT NULL
            AND (%(until)s::timestamptz IS NULL OR p.set_aside_at <= %(until)s)
            AND (%(kind)s::text IS NULL OR p.kind = %(kind)s)
            AND (%(sessions)s::text[] IS NULL OR p.session_id = ANY(%(sessions)s))
            AND (%(digests)s::bytea[] IS NULL OR p.digest = ANY(%(digests)s))
            AND (%(reason)s::text IS NULL OR p.reason = %(reason)s)
        ORDER BY p.event_id
        """,
        {"until": until, **selection.sql_parameters},
    )
    return [cast("int", event_id) for (event_id,) in found]


def _request_from_row(row: tuple[object, ...]) -> RedriveRequest:
    selection = RedriveSelection(
        *cast("tuple[list[str] | None, list[bytes] | None, str | None, SetAsideKind | None]", row[2:6])
    )
    # The columns are the fields of the class.
    return RedriveRequest(cast("int", row[0]), cast("str", row[1]), selection, *row[6:])  # pyright: ignore[reportArgumentType]
