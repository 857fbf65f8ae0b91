"""Follows raw events as they are stored, like `tail -f`."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast

from store.model import lines
from store.postgres.connections import Connection

_PAGE_SIZE = 500


@dataclass(frozen=True, slots=True)
class RawPayload:
    event_id: int
    received_at: int
    """In ms since 1970."""
    outcome: str
    """The outcome, followed by the reason if the event is parked."""
    body: bytes

    @property
    def printable_text(self) -> str:
        """The body for a terminal: invisible characters and bytes that are not text are escaped."""
        return lines.escape_invisible(self.body.decode(errors="backslashreplace"), keep="\t\n")

    @property
    def received_iso(self) -> str:
        return datetime.fromtimestamp(self.received_at / 1000, UTC).isoformat(timespec="milliseconds")

    def to_json(self) -> dict[str, object]:
        """Return the event as JSON values; bytes of the body that are not text are escaped."""
        return {
            "event_id": self.event_id,
            "received_at": self.received_iso,
            "outcome": self.outcome,
            "body": self.body.decode(errors="backslashreplace"),
        }


@dataclass(slots=True)
class RawTail:
    """A reader that returns every event exactly once.

    Ids are assigned before COMMIT, so an event may become visible after others with greater ids.
    """

    complete_up_to: int
    """The id up to which no further event can become visible."""
    _returned_ids: set[int] = field(default_factory=set[int])
    _next_complete: tuple[int, int] | None = None
    """The greatest event id seen by an earlier poll, and a transaction id. When all transactions before that one have
    ended, `complete_up_to` becomes that event id.
    """

    def poll(self, connection: Connection) -> list[RawPayload]:
        """Return the events that became visible since the last poll."""
        row = connection.execute(
            """
            SELECT coalesce(max(e.event_id), 0), pg_snapshot_xmin(pg_current_snapshot())::text::bigint,
                pg_snapshot_xmax(pg_current_snapshot())::text::bigint
            FROM raw_events AS e
            """
        ).fetchone()
        last, oldest, newest = cast("tuple[int, int, int]", row)
        if self._next_complete is not None and oldest >= self._next_complete[1]:
            complete, self._next_complete = self._next_complete[0], None
        else:
            complete = self.complete_up_to
        new: list[RawPayload] = []
        after = self.complete_up_to
        while page := _payloads_after(connection, after):
            new += [payload for payload in page if payload.event_id not in self._returned_ids]
            after = page[-1].event_id
        self.complete_up_to = complete
        returned = self._returned_ids.union(payload.event_id for payload in new)
        self._returned_ids = {event_id for event_id in returned if event_id > complete}
        if self._next_complete is None:
            self._next_complete = last, newest
        return new


def event_id_before_last(connection: Connection, count: int) -> int:
    """Return the id of the event before the last `count` events."""
    row = connection.execute(
        "SELECT e.event_id FROM raw_events AS e ORDER BY e.event_id DESC OFFSET %s LIMIT 1", [count]
    ).fetchone()
    return cast("int", row[0]) if row else 0


def _payloads_after(connection: Connection, event_id: int) -> list[RawPayload]:
    cursor = connection.execute(
        """
        SELECT e.event_id, e.received_at, d.outcome || coalesce(': ' || coalesce(p.reason, n.reason), ''), e.body
        FROM raw_events AS e
        JOIN event_digests AS d USING (digest)
        LEFT JOIN parked_events AS p USING (digest)
        LEFT JOIN noise_events AS n USING (digest)
        WHERE e.event_id > %(after)s
        ORDER BY e.event_id
        LIMIT %(limit)s
        """,
        {"after": event_id, "limit": _PAGE_SIZE},
    )
    return [RawPayload(*row) for row in cast("Iterable[tuple[int, int, str, bytes]]", cursor)]
