"""The ledger's rows: which batches were kept, and how their events were counted."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias, cast

from store.model.batches import Batch
from store.postgres import json_rows
from store.postgres.connections import Connection

BatchId: TypeAlias = tuple[str, int]
"""(writer, number)"""

OUTCOME_COLUMNS = ("stored", "duplicate", "noise", "ping", "parked", "forgotten")
"""What an event can be counted as."""


def claim(connection: Connection, batches: Iterable[Batch]) -> set[BatchId]:
    """Take the batches that nobody has kept; the others are to be skipped whole.

    A batch is claimed as if all of it were stored, which is mostly true; `count` corrects that in the same transaction.
    """
    claimed = connection.execute(
        """
        INSERT INTO batches (writer, number, size, upto, stored)
        SELECT r.writer, r.number, r.size, r.upto, r.size
        FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (writer uuid, number bigint, size integer, upto bigint)
        ORDER BY r.writer, r.number
        ON CONFLICT (writer, number) DO NOTHING
        RETURNING replace(writer::text, '-', ''), number
        """,
        {
            "rows": json_rows.encode(
                {"writer": b.writer, "number": b.number, "size": len(b.events), "upto": b.cumulative_events}
                for b in batches
            )
        },
    ).fetchall()
    return set(cast("list[BatchId]", claimed))


def record_counts(connection: Connection, counts: Mapping[BatchId, Counter[str]]) -> None:
    """Say what became of the events of claimed batches that were not stored whole."""
    mixed: Sequence[json_rows.JsonRow] = [
        {"writer": writer, "number": number, **{column: counted[column] for column in OUTCOME_COLUMNS}}
        for (writer, number), counted in sorted(counts.items())
    ]
    if mixed:
        connection.execute(
            """
            UPDATE batches AS b
            SET stored = r.stored, duplicate = r.duplicate, noise = r.noise,
                ping = r.ping, parked = r.parked, forgotten = r.forgotten
            FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (
                writer uuid, number bigint, stored integer, duplicate integer, noise integer,
                ping integer, parked integer, forgotten integer
            )
            WHERE b.writer = r.writer AND b.number = r.number
            """,
            {"rows": json_rows.encode(mixed)},
        )
