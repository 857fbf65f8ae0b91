"""The raw bodies as they arrive: what an inspection site shows, from our own database."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast

from store.postgres.connections import Connection

_PAGE_SIZE = 500
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Control characters but for tabs and ends of lines."""


@dataclass(frozen=True, slots=True)
class RawPayload:
    event_id: int
    received_at: int
    """In ms."""
    outcome: str
    """What it was taken for, and if it is parked, why."""
    body: bytes

    @property
    def printable_text(self) -> str:
        """The body as a terminal can show it: what is not text is escaped, and so is what terminals obey."""
        shown = self.body.decode(errors="backslashreplace")
        return _CONTROL_CHARACTERS.sub(lambda found: found[0].encode("unicode_escape").decode(), shown)

    @property
    def received_iso(self) -> str:
        return datetime.fromtimestamp(self.received_at / 1000, UTC).isoformat(timespec="milliseconds")

    def to_json(self) -> dict[str, object]:
        """As JSON can hold it."""
        return {
            "event_id": self.event_id,
            "received_at": self.received_iso,
            "outcome": self.outcome,
            "body": self.body.decode(errors="backslashreplace"),
        }


@dataclass(slots=True)
class RawTail:
    """What came since the last look, each once and none left out.

    Events are numbered before COMMIT: one that becomes visible late has a lower number than others that were shown.
    """

    settled_event_id: int
    """Up to here nothing is going to appear any more."""
    _shown_ids: set[int] = field(default_factory=set[int])
    _next_settled: tuple[int, int] | None = None
    """The greatest event of an earlier look, and the transaction before which all have to end for it to be settled."""

    def poll(self, connection: Connection) -> list[RawPayload]:
        row = connection.execute(
            """
            SELECT coalesce(max(e.event_id), 0), pg_snapshot_xmin(pg_current_snapshot())::text::bigint,
                pg_snapshot_xmax(pg_current_snapshot())::text::bigint
            FROM raw_events AS e
            """
        ).fetchone()
        last, oldest, newest = cast("tuple[int, int, int]", row)
        if self._next_settled is not None and oldest >= self._next_settled[1]:
            settled, self._next_settled = self._next_settled[0], None
        else:
            settled = self.settled_event_id
        new: list[RawPayload] = []
        after = self.settled_event_id
        while page := _payloads_after(connection, after):
            new += [payload for payload in page if payload.event_id not in self._shown_ids]
            after = page[-1].event_id
        self.settled_event_id = settled
        self._shown_ids = {event_id for event_id in self._shown_ids | {p.event_id for p in new} if event_id > settled}
        if self._next_settled is None:
            self._next_settled = last, newest
        return new


def event_id_before_last(connection: Connection, count: int) -> int:
    """The number after which the last `count` events come."""
    row = connection.execute(
        "SELECT e.event_id FROM raw_events AS e ORDER BY e.event_id DESC OFFSET %s LIMIT 1", [count]
    ).fetchone()
    return cast("int", row[0]) if row else 0


def _payloads_after(connection: Connection, event_id: int) -> list[RawPayload]:
    found = connection.execute(
        """
        SELECT e.event_id, e.received_at, d.outcome || coalesce(': ' || p.reason, ''), e.body
        FROM raw_events AS e
        JOIN event_digests AS d USING (digest)
        LEFT JOIN parked_events AS p USING (digest)
        WHERE e.event_id > %(after)s
        ORDER BY e.event_id
        LIMIT %(limit)s
        """,
        {"after": event_id, "limit": _PAGE_SIZE},
    )
    return [RawPayload(*row) for row in cast("Iterable[tuple[int, int, str, bytes]]", found)]
