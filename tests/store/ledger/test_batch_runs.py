"""Tests batch runs, which are the ledger's sums of completed batches, and the batches that are not in a run yet."""

import json
import random
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, LiteralString

import pytest

from store.ledger import batch_runs, ledger
from store.postgres import connections
from store.postgres.connections import Connection

KEEP: LiteralString = """
    INSERT INTO batches (writer, number, size, upto, stored, duplicate, parked, committed_at)
    VALUES (
        %(writer)s, %(number)s, 7, 7 * %(number)s, 4, %(number)s %% 3, 3 - %(number)s %% 3, now() - interval '1 minute'
    )
"""
ALL: LiteralString = """
    SELECT coalesce(sum(size), 0)::bigint, coalesce(sum(stored), 0)::bigint, coalesce(sum(duplicate), 0)::bigint,
        coalesce(sum(parked), 0)::bigint
    FROM batches
"""
MISSING: LiteralString = """
    SELECT w.writer, n.number
    FROM (SELECT writer, max(number) AS last FROM batches GROUP BY writer) AS w
    CROSS JOIN LATERAL generate_series(1, w.last) AS n (number)
    WHERE NOT EXISTS (SELECT FROM batches AS b WHERE b.writer = w.writer AND b.number = n.number)
    ORDER BY 1, 2
"""
IDLE: LiteralString = """
    INSERT INTO stream_status (as_of, length, empty_since) VALUES (now(), 0, now() - interval '1 hour')
    ON CONFLICT (singleton) DO UPDATE SET as_of = now()
"""


def keep(connection: Connection, writer: uuid.UUID, number: int) -> None:
    connection.execute(KEEP, {"writer": writer, "number": number})


def agree(connection: Connection) -> None:
    """Assert that in this snapshot the ledger equals the sum of its batches."""
    totals = ledger.read_in_transaction(connection)
    size, stored, duplicate, parked = connection.execute(ALL).fetchall()[0]
    assert (totals.stored, totals.duplicate, totals.parked) == (stored, duplicate, parked)
    assert totals.stored + totals.duplicate + totals.parked == size


@pytest.mark.parametrize("seed", range(3))
def test_the_ledger_is_the_same_with_and_without_runs(database_url: str, seed: int) -> None:
    """Batches arrive late, out of order and with gaps. A run that was created too early must not hide any of them."""
    chance = random.Random(seed)
    writers = [uuid.UUID(int=chance.getrandbits(128)) for _ in range(3)]
    coming = [(writer, number) for writer in writers for number in range(1, 41) if chance.random() < 0.9]
    chance.shuffle(coming)
    with connections.open(database_url, "test") as connection:
        connection.execute(IDLE)
        for writer, number in coming:
            keep(connection, writer, number)
            if chance.random() < 0.3:
                batch_runs.extend(connection, 1)
            agree(connection)
        missing = connection.execute(MISSING).fetchall()
        connection.execute(IDLE)  # losses require a recent observation of the stream
        lost = ledger.read(connection).lost
        batch_runs.extend(connection, 1)
        in_runs = connection.execute("SELECT sum(last - first + 1)::bigint FROM batch_runs").fetchone()

        assert [(uuid.UUID(gap.writer), number) for gap in lost for number in range(gap.first, gap.last + 1)] == missing
        assert in_runs == (len(coming),)
        assert batch_runs.extend(connection, 1) == 0


def write(database_url: str, writer: uuid.UUID) -> None:
    """Write batches as workers do. Neighbouring batches overtake each other."""
    numbers = [number for at in range(1, 151, 3) for number in (at + 2, at + 1, at)]
    with connections.open(database_url, "test") as connection:
        for number in numbers:
            keep(connection, writer, number)


def take_sums(database_url: str, done: threading.Event) -> None:
    with connections.open(database_url, "test") as connection:
        while not done.is_set():
            batch_runs.extend(connection, 1)


def test_every_snapshot_adds_up_while_workers_write_and_sums_are_taken(database_url: str) -> None:
    """Dashboards poll the ledger all the time, so a single wrong number among thousands would be noticed."""
    done = threading.Event()
    with ThreadPoolExecutor(6) as pool, connections.open(database_url, "test") as reader:
        writing = [pool.submit(write, database_url, uuid.uuid4()) for _ in range(4)]
        adding = [pool.submit(take_sums, database_url, done) for _ in range(2)]
        try:
            while not all(one.done() for one in writing):
                with reader.transaction():
                    reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                    agree(reader)
        finally:
            done.set()
        for one in (*writing, *adding):
            one.result()
        batch_runs.extend(reader, 1)

        assert reader.execute("SELECT count(*), sum(size)::bigint FROM batch_runs").fetchall() == [(4, 4 * 150 * 7)]
        agree(reader)


def test_the_ledger_reads_no_batch_that_is_in_a_run(database_url: str) -> None:
    """A year of a busy gateway has millions of batches, and the dashboard polls every few seconds."""
    with connections.open(database_url, "test", overrides={"enable_seqscan": "off"}) as connection:
        connection.execute(
            """
            INSERT INTO batches (writer, number, size, upto, stored)
            SELECT '00000000-0000-4000-8000-000000000001', n, 1, n, 1 FROM generate_series(1, 20000) AS n
            """
        )
        batch_runs.extend(connection, 1)
        connection.execute("ANALYZE")
        keep(connection, uuid.uuid4(), 1)
        plan = connection.execute(
            f"EXPLAIN (ANALYZE, FORMAT JSON) WITH RECURSIVE {batch_runs.SEGMENTS} SELECT sum(size) FROM segments"
        ).fetchone()
        assert plan is not None
        read = [node for node in nodes(json.loads(json.dumps(plan[0]))[0]["Plan"]) if reads_batches(node)]

        assert read
        assert sum(node["Actual Rows"] * node["Actual Loops"] for node in read) < 10


def nodes(plan: Any) -> Iterator[Any]:  # noqa: ANN401 - JSON
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def reads_batches(node: Any) -> bool:  # noqa: ANN401 - JSON
    return node.get("Relation Name") == "batches"


def test_emptying_the_ledger_empties_its_runs(database_url: str) -> None:
    """Otherwise an emptied ledger would begin with old sums."""
    with connections.open(database_url, "test") as connection:
        keep(connection, uuid.uuid4(), 1)
        batch_runs.extend(connection, 1)
        connection.execute("TRUNCATE batches")

        assert ledger.read(connection).received == 0
