"""Several concurrent workers write the same rows as one."""

import queue
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings

from ingest.queue.contract import RawBatch
from store.postgres import connections as postgres_connections
from store.postgres.connections import Connection
from tests.support.generated_history import database as generated_database
from tests.support.generated_history import histories, snapshot
from tests.support.generated_history.database import HistoryDatabase
from tests.support.generated_history.histories import Delivery, DrawnHistory
from tests.support.generated_history.statistics import DrawStatistics
from worker.drain import retry

WRITERS = 4


def _write(connection: Connection, steps: "queue.SimpleQueue[Sequence[RawBatch]]", retries: Counter[str]) -> None:
    """Apply steps until there are none. Repeat each after a deadlock, as the worker does."""

    def again() -> None:
        retries["again"] += 1

    while True:
        try:
            step = steps.get_nowait()
        except queue.Empty:
            return
        retry.retry_transient(
            lambda step=step: generated_database.apply_step(connection, step),
            seconds=60,
            should_stop=lambda: False,
            on_retry=again,
        )


def _tell_at_once(connections: Sequence[Connection], telling: Delivery, retries: Counter[str]) -> None:
    steps: queue.SimpleQueue[Sequence[RawBatch]] = queue.SimpleQueue()
    for step in telling:
        steps.put(step)
    with ThreadPoolExecutor(len(connections)) as pool:
        for writer in [pool.submit(_write, connection, steps, retries) for connection in connections]:
            writer.result()


def _check(
    database_url: str, store: HistoryDatabase, examples: int, shares: DrawStatistics, retries: Counter[str]
) -> None:
    with ExitStack() as stack:
        connections = [
            stack.enter_context(postgres_connections.open(database_url, f"writer {i}")) for i in range(WRITERS)
        ]

        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            print_blob=True,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
        )
        @given(histories.draw_histories())
        def converges(drawn: DrawnHistory) -> None:
            history = replace(drawn, batch_granularity=(drawn.batch_granularity[0], 3))
            shares.count(history)
            alone, together = history.two_deliveries()
            store.clear()
            store.apply_delivery(alone)
            expected = snapshot.read(store.connection)
            store.clear()
            _tell_at_once(connections, together, retries)
            differing = snapshot.differences(expected, snapshot.read(store.connection))
            assert not differing, "\n".join(differing)

        converges()


@pytest.mark.long
@pytest.mark.timeout(600)
def test_four_concurrent_workers_store_the_same_rows_as_one(
    history_database: HistoryDatabase, database_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Users add workers for throughput, so the result must not depend on which one waits for which."""
    shares = DrawStatistics()
    retries = Counter[str]()
    try:
        _check(database_url, history_database, 40, shares, retries)
    finally:
        shares.print_summary(
            capfd, f"Stored by one worker and by four at once, {retries.total()} transactions tried again"
        )

    assert shares.histories >= 40


@pytest.mark.long
@pytest.mark.timeout(1500)
def test_four_concurrent_workers_store_the_same_rows_as_one_in_many_histories(
    history_database: HistoryDatabase, database_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """This runs the previous test on 400 histories, because some interleavings of threads are rare."""
    shares = DrawStatistics()
    retries = Counter[str]()
    try:
        _check(database_url, history_database, 400, shares, retries)
    finally:
        shares.print_summary(
            capfd, f"Stored by one worker and by four at once, {retries.total()} transactions tried again"
        )

    assert shares.histories >= 400
