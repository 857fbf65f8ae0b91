"""The ledger's rows: which batches were kept, and how their events were counted."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias, cast

from store.model.batches import Batch
from store.postgres import json_rows
from store.postgres.connections import Connection

Identity: TypeAlias = tuple[str, int]
"""(writer, number)"""

COLUMNS = ("stored", "duplicate", "noise", "ping", "parked", "forgotten")
"""What an event can be counted as."""


def claim(connection: Connection, batches: Iterable[Batch]) -> set[Identity]:
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
            "rows": json_rows.document(
                {"writer": b.writer, "number": b.number, "size": len(b.events), "upto": b.upto} for b in batches
            )
        },
    ).fetchall()
    return set(cast("list[Identity]", claimed))


def count(connection: Connection, counts: Mapping[Identity, Counter[str]]) -> None:
    """Say what became of the events of claimed batches that were not stored whole."""
    mixed: Sequence[json_rows.Row] = [
        {"writer": writer, "number": number, **{column: counted[column] for column in COLUMNS}}
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
            {"rows": json_rows.document(mixed)},
        )
