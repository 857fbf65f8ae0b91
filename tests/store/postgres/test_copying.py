"""Rows are copied only if no other transaction inserts one of them at the same moment."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest

from store.postgres import connections, copying
from tests.support.history import folding
from tests.support.history.folding import event_of, message_fact
from tests.support.waiting import wait_until

COPY = "COPY event_digests (digest, received_at, outcome) FROM STDIN (FORMAT binary)"
ROWS = [(bytes([n]), 0, "stored") for n in range(3)]


def copy_absent(connection: connections.Connection) -> bool:
    with connection.transaction():
        is_copied = copying.copy_absent(connection, COPY, ("bytea", "bigint", "text"), ROWS)
        connection.execute("INSERT INTO event_digests VALUES (1, NULL, 'other', 'stored')")
        return is_copied


class Rivals(NamedTuple):
    """Connections of two workers, of which the second one works in a thread, and one that watches them."""

    first: connections.Connection
    second: connections.Connection
    observer: connections.Connection
    thread: ThreadPoolExecutor

    def wait_until_blocked(self) -> None:
        wait_until(lambda: is_blocked(self.observer, self.second), 5)


@pytest.fixture
def rivals(database_url: str) -> Iterator[Rivals]:
    with (
        connections.open(database_url, "first") as first,
        connections.open(database_url, "second") as second,
        connections.open(database_url, "observer") as observer,
        ThreadPoolExecutor(1) as thread,
    ):
        yield Rivals(first, second, observer, thread)


def is_blocked(observer: connections.Connection, waiting: connections.Connection) -> bool:
    found = observer.execute("SELECT cardinality(pg_blocking_pids(%s)) > 0", [waiting.info.backend_pid])
    return found.fetchone() == (True,)


def test_nothing_is_copied_if_a_row_exists_by_then_and_the_transaction_goes_on(rivals: Rivals) -> None:
    with rivals.first.transaction():
        rivals.first.execute("INSERT INTO event_digests (digest, received_at, outcome) VALUES ('\\x02', 0, 'stored')")
        copied = rivals.thread.submit(copy_absent, rivals.second)
        rivals.wait_until_blocked()

    assert copied.result() is False
    digests = rivals.observer.execute("SELECT digest FROM event_digests ORDER BY 1", binary=True).fetchall()
    assert digests == [(b"\2",), (b"other",)]


def test_a_batch_that_two_workers_store_at_once_counts_once(rivals: Rivals, monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries that ingest sends again reach a second worker while the first one still stores them."""
    monkeypatch.setattr(copying, "MIN_ROWS", 1)
    with rivals.first.transaction():
        folding.store_transactions(rivals.first, [1], [event_of(message_fact())])
        repeated = rivals.thread.submit(
            folding.store_transactions, rivals.second, [1, 2], [event_of(message_fact())], [event_of(message_fact("B"))]
        )
        rivals.wait_until_blocked()
    repeated.result()

    counted = rivals.observer.execute("SELECT stored, duplicate FROM batches").fetchall()
    assert counted == [(1, 0), (1, 0)]
    assert rivals.observer.execute("SELECT count(*) FROM whatsapp_messages").fetchone() == (2,)
