"""Records the digest of every event, with the earliest and latest receipts of its copies."""

from collections.abc import Collection, Iterable, Sequence
from typing import Final, NamedTuple, cast

from store.model import timestamps
from store.postgres import copying, json_rows
from store.postgres.connections import Connection

_COPY: Final = "COPY event_digests (digest, received_at, outcome) FROM STDIN (FORMAT binary)"


class EventCopy(NamedTuple):
    """One received copy of an event. A tuple for speed, as there is one for every event."""

    digest: bytes
    received_at: int
    outcome: str
    latest_claimed_at: int | None
    """The latest time in the event, or None if any of its times is missing or before 2009."""


def record(connection: Connection, event_copies: Iterable[EventCopy]) -> dict[bytes, bool]:
    """Record one copy of each of these distinct events. Return for each digest whether the event is new.

    False means that the event is known, but that this copy changes a date, either because it arrived earliest or
    because the times in the event are not credible. Copies that change nothing are left out of the result.
    """
    copies = list(event_copies)
    new = dict.fromkeys(_insert_absent(connection, copies), True)
    if len(new) == len(copies):
        return new
    rows = json_rows.encode(copy._asdict() for copy in copies)
    redated = connection.execute(
        """
        UPDATE event_digests AS d
        SET received_at = least(d.received_at, r.received_at),
            last_received_at = CASE
                WHEN r.latest_claimed_at IS NULL
                    OR r.latest_claimed_at > least(d.received_at, r.received_at) + %(ahead)s
                THEN greatest(d.last_received_at, d.received_at, r.received_at)
                ELSE d.last_received_at
            END
        FROM (
            SELECT decode(r.digest, 'hex') AS digest, r.received_at, r.latest_claimed_at
            FROM json_to_recordset(%(rows)s::json)
                AS r (digest text, received_at bigint, latest_claimed_at bigint)
            ORDER BY r.digest
        ) AS r
        WHERE d.digest = r.digest AND NOT d.digest = ANY(%(new)s)
            -- Erased events have no dates.
            AND d.outcome <> 'forgotten'
            AND (
                r.received_at < d.received_at
                OR r.received_at > greatest(d.last_received_at, d.received_at)
                    AND (r.latest_claimed_at IS NULL OR r.latest_claimed_at > d.received_at + %(ahead)s)
            )
        RETURNING d.digest
        """,
        {"rows": rows, "ahead": timestamps.MAX_CLOCK_SKEW, "new": list(new)},
    )
    return new | {bytes(digest): False for (digest,) in redated if isinstance(digest, bytes)}


def _insert_absent(connection: Connection, copies: Sequence[EventCopy]) -> Collection[bytes]:
    """Insert the digests that are absent, and return them."""
    if len(copies) < copying.MIN_ROWS:
        return _insert(connection, copies)
    found = connection.execute(
        "SELECT d.digest FROM event_digests AS d WHERE d.digest = ANY(%b)",
        [[copy.digest for copy in copies]],
        binary=True,
    )
    known = {digest for (digest,) in found}
    absent = sorted(copy for copy in copies if copy.digest not in known)
    rows = [copy[:3] for copy in absent]
    if copying.copy_absent(connection, _COPY, ("bytea", "bigint", "text"), rows):
        return [copy.digest for copy in absent]
    return _insert(connection, absent)


def _insert(connection: Connection, copies: Sequence[EventCopy]) -> Collection[bytes]:
    inserted = connection.execute(
        """
        INSERT INTO event_digests AS d (digest, received_at, outcome)
        SELECT decode(r.digest, 'hex'), r.received_at, r.outcome
        FROM json_to_recordset(%s::json) AS r (digest text, received_at bigint, outcome text)
        ORDER BY r.digest
        ON CONFLICT (digest) DO NOTHING
        RETURNING d.digest
        """,
        [json_rows.encode(copy._asdict() for copy in copies)],
    )
    return [digest for (digest,) in cast("Iterable[tuple[bytes]]", inserted)]


def lock(connection: Connection, digests: Collection[bytes]) -> None:
    """Lock existing digests in sorted order. Every writer locks them before message keys."""
    connection.execute(
        "SELECT FROM event_digests AS d WHERE d.digest = ANY(%s) ORDER BY d.digest FOR UPDATE", [list(digests)]
    )
