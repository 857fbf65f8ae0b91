"""Records the state of the stream once a second, so that the ledger can distinguish waiting from lost events."""

from collections.abc import Iterable
from dataclasses import dataclass

from store.postgres import errors, json_rows
from store.postgres.connections import Connection


@dataclass(frozen=True, slots=True)
class WriterPosition:
    """The position of a writer, according to its newest entry."""

    writer: str
    number: int
    cumulative_events: int
    spooled: int


def record(
    connection: Connection, *, stream_length: int, oldest_received_at: int | None, writers: Iterable[WriterPosition]
) -> None:
    """Record the length of the stream, the receipt of its oldest event in ms, and the positions of writers."""
    with errors.translated(), connection.transaction():
        newest = {writer.writer: writer for writer in sorted(writers, key=lambda writer: writer.number)}
        if newest:
            connection.execute(
                """
                INSERT INTO writers AS w (writer, number, upto, spooled, seen_at)
                SELECT r.writer, r.number, r.upto, r.spooled, now()
                FROM jsonb_to_recordset(%(rows)s::jsonb)
                    AS r (writer uuid, number bigint, upto bigint, spooled bigint)
                ORDER BY r.writer
                ON CONFLICT (writer) DO UPDATE
                SET number = excluded.number, upto = excluded.upto, spooled = excluded.spooled, seen_at = now()
                WHERE excluded.number > w.number
                """,
                {
                    "rows": json_rows.encode(
                        {
                            "writer": writer.writer,
                            "number": writer.number,
                            "upto": writer.cumulative_events,
                            "spooled": writer.spooled,
                        }
                        for writer in newest.values()
                    )
                },
            )
        connection.execute(
            """
            INSERT INTO stream_status AS p (as_of, length, oldest_at, empty_since)
            VALUES (now(), %(length)s, to_timestamp(%(oldest_at)s / 1000.0), CASE WHEN %(length)s = 0 THEN now() END)
            ON CONFLICT (singleton) DO UPDATE
            SET as_of = now(), length = excluded.length, oldest_at = excluded.oldest_at,
                empty_since = CASE WHEN excluded.length = 0 THEN coalesce(p.empty_since, now()) END
            """,
            {"length": stream_length, "oldest_at": oldest_received_at},
        )
