"""Writes the rows of the ledger: one per batch, with the number of its events by outcome."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, TypeAlias, cast
from uuid import UUID

from store.model.batches import Batch
from store.postgres import copying, errors, json_rows
from store.postgres.connections import Connection

BatchId: TypeAlias = tuple[str, int]
"""(writer, number)"""

_COPY: Final = "COPY batches (writer, number, size, upto, stored) FROM STDIN (FORMAT binary)"

OUTCOME_COLUMNS = ("stored", "duplicate", "noise", "ping", "parked", "forgotten")
"""The outcomes of events, with `duplicate`."""


def claim(connection: Connection, batches: Collection[Batch], generation: str | None = None) -> set[BatchId]:
    """Insert the batches that are not in the ledger yet and return their ids. The caller must skip the others.

    Raises an error if `generation` is given and the database has another one. All events are counted as stored at
    first, because most are; `record_counts` corrects the counts in the same transaction.
    """
    if len(batches) >= copying.MIN_ROWS:
        if generation is not None:
            connection.execute("SELECT require_generation(%s)", [generation])
        writers = {writer: UUID(writer) for writer in {batch.writer for batch in batches}}
        # Existing batches are not looked up first: batches are rarely delivered again, and then many at a time.
        rows = sorted(
            (writers[b.writer], b.number, len(b.events), b.acknowledged_events, len(b.events)) for b in batches
        )
        if copying.copy_absent(connection, _COPY, ("uuid", "bigint", "integer", "bigint", "integer"), rows):
            return {(batch.writer, batch.number) for batch in batches}
    inserted = connection.execute(
        """
        INSERT INTO batches (writer, number, size, upto, stored)
        SELECT r.writer, r.number, r.size, r.upto, r.size
        FROM json_to_recordset(%(rows)s::json) AS r (writer uuid, number bigint, size integer, upto bigint)
        WHERE %(generation)s::uuid IS NULL OR require_generation(%(generation)s::uuid)
        ORDER BY r.writer, r.number
        ON CONFLICT (writer, number) DO NOTHING
        RETURNING replace(writer::text, '-', ''), number
        """,
        {
            "rows": json_rows.encode(
                {"writer": b.writer, "number": b.number, "size": len(b.events), "upto": b.acknowledged_events}
                for b in batches
            ),
            "generation": generation,
        },
    ).fetchall()
    return set(cast("list[BatchId]", inserted))


def known(connection: Connection, ids: Iterable[BatchId]) -> set[BatchId]:
    """Return the batches that are in the ledger. Raises StoreError."""
    with errors.translated():
        found = connection.execute(
            """
            SELECT replace(b.writer::text, '-', ''), b.number
            FROM json_to_recordset(%(rows)s::json) AS r (writer uuid, number bigint)
            JOIN batches AS b USING (writer, number)
            """,
            {"rows": json_rows.encode({"writer": writer, "number": number} for writer, number in ids)},
        ).fetchall()
    return set(cast("list[BatchId]", found))


def record_counts(connection: Connection, counts: Mapping[BatchId, Counter[str]]) -> None:
    """Correct the counts of claimed batches in which some events were not stored."""
    rows: Sequence[json_rows.JsonRow] = [
        {"writer": writer, "number": number, **{column: outcomes[column] for column in OUTCOME_COLUMNS}}
        for (writer, number), outcomes in sorted(counts.items())
    ]
    if rows:
        connection.execute(
            """
            UPDATE batches AS b
            SET stored = r.stored, duplicate = r.duplicate, noise = r.noise,
                ping = r.ping, parked = r.parked, forgotten = r.forgotten
            FROM json_to_recordset(%(rows)s::json) AS r (
                writer uuid, number bigint, stored integer, duplicate integer, noise integer,
                ping integer, parked integer, forgotten integer
            )
            WHERE b.writer = r.writer AND b.number = r.number
            """,
            {"rows": json_rows.encode(rows)},
        )
