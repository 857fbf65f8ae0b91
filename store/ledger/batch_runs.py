"""Sums consecutive batches into runs, so that reading the ledger does not read every batch."""

from typing import LiteralString

from store.postgres import advisory_locks, errors
from store.postgres.connections import Connection

UNMERGED_BATCHES: LiteralString = """
-- The distinct writers, each found by one index lookup.
walk AS (
    (SELECT b.writer FROM batches AS b ORDER BY b.writer LIMIT 1)
    UNION ALL
    SELECT (SELECT b.writer FROM batches AS b WHERE b.writer > w.writer ORDER BY b.writer LIMIT 1)
    FROM walk AS w
    WHERE w.writer IS NOT NULL
),
-- Batch numbers outside all runs: before a writer's first run, between two runs, and after the last.
spans AS (
    SELECT w.writer, coalesce(r.last, 0) AS after, coalesce(r.next, 9223372036854775807) AS until
    FROM walk AS w
    CROSS JOIN LATERAL (
        SELECT NULL::bigint AS last, min(r.first) AS next
        FROM batch_runs AS r
        WHERE r.writer = w.writer
        UNION ALL
        SELECT r.last, lead(r.first) OVER (ORDER BY r.first)
        FROM batch_runs AS r
        WHERE r.writer = w.writer
    ) AS r
    WHERE w.writer IS NOT NULL
),
fresh AS (
    SELECT b.writer, b.number, b.upto, b.size, b.stored, b.duplicate, b.noise, b.ping, b.parked, b.forgotten
    FROM spans AS s
    CROSS JOIN LATERAL (
        SELECT b.*
        FROM batches AS b
        WHERE b.writer = s.writer AND b.number > s.after AND b.number < s.until
        OFFSET 0
    ) AS b
)
"""
"""The batches that are in no run yet, as `fresh`. The fragment belongs in a query that starts with WITH RECURSIVE."""

SEGMENTS: LiteralString = f"""{UNMERGED_BATCHES},
segments AS (
    SELECT r.writer, r.first, r.last, r.before, r.upto, r.size, r.stored, r.duplicate, r.noise, r.ping, r.parked,
        r.forgotten
    FROM batch_runs AS r
    UNION ALL
    SELECT f.writer, f.number, f.number, f.upto - f.size, f.upto, f.size, f.stored, f.duplicate, f.noise, f.ping,
        f.parked, f.forgotten
    FROM fresh AS f
)
"""
"""All batches, each of them once: the runs, and each other batch as a run of one."""


def extend(connection: Connection, min_batches: int) -> int:
    """Add batches that are in no run to runs, if there are at least `min_batches`. Return the number of changed runs.

    Does nothing if another process is already doing it. Raises StoreError.
    """
    with errors.translated(), connection.transaction():
        if not advisory_locks.try_acquire(connection, advisory_locks.BATCH_RUNS):
            return 0
        # The first call sums all existing batches.
        connection.execute("SET LOCAL statement_timeout = '10min'")
        row = connection.execute(
            f"WITH RECURSIVE {UNMERGED_BATCHES} SELECT count(*) >= %(at_least)s FROM fresh",
            {"at_least": min_batches},
        ).fetchone()
        if row != (True,):
            return 0
        # A single statement, so that the rows that are summed are also the rows that are replaced.
        return connection.execute(
            f"""
            WITH RECURSIVE {SEGMENTS},
            steps AS (
                SELECT s.writer, s.first, (
                        s.first > 1 + lag(s.last, 1, -1::bigint) OVER (PARTITION BY s.writer ORDER BY s.first)
                    )::integer AS begins
                FROM segments AS s
            ),
            numbered AS (
                SELECT s.writer, s.first, sum(s.begins) OVER (PARTITION BY s.writer ORDER BY s.first) AS run
                FROM steps AS s
            ),
            merged AS (
                SELECT s.writer, min(s.first) AS first, max(s.last) AS last, min(s.before) AS before,
                    max(s.upto) AS upto, sum(s.size) AS size, sum(s.stored) AS stored, sum(s.duplicate) AS duplicate,
                    sum(s.noise) AS noise, sum(s.ping) AS ping, sum(s.parked) AS parked, sum(s.forgotten) AS forgotten
                FROM segments AS s
                JOIN numbered AS n USING (writer, first)
                GROUP BY s.writer, n.run
            ),
            absorbed AS (
                DELETE FROM batch_runs AS r
                USING merged AS m
                WHERE r.writer = m.writer AND r.first > m.first AND r.first <= m.last
            )
            INSERT INTO batch_runs AS r (
                writer, first, last, before, upto, size, stored, duplicate, noise, ping, parked, forgotten
            )
            SELECT m.writer, m.first, m.last, m.before, m.upto, m.size, m.stored, m.duplicate, m.noise, m.ping,
                m.parked, m.forgotten
            FROM merged AS m
            ORDER BY m.writer, m.first
            ON CONFLICT (writer, first) DO UPDATE
            SET last = excluded.last, before = excluded.before, upto = excluded.upto, size = excluded.size,
                stored = excluded.stored, duplicate = excluded.duplicate, noise = excluded.noise,
                ping = excluded.ping, parked = excluded.parked, forgotten = excluded.forgotten
            WHERE r.last <> excluded.last
            """
        ).rowcount
