"""A worker keeps the search index and the ledger's batch runs up to date."""

from collections.abc import Iterator

import pytest

from dev.embedded.child_process import wait_until
from tests.support.history_writer import HistoryWriter, message_fact
from worker.housekeeping import indexer
from worker.housekeeping.indexer import Indexer


@pytest.fixture
def running_indexer(database_url: str) -> Iterator[Indexer]:
    running = Indexer(database_url)
    running.start()
    yield running
    running.stop()


@pytest.mark.usefixtures("running_indexer")
def test_a_stored_message_can_be_searched_within_seconds(history: HistoryWriter) -> None:
    """The API only reads the index."""
    history.store(message_fact("a blue parcel"))

    assert wait_until(lambda: history.rows("SELECT text FROM search_index") == [("a blue parcel",)], 5)


@pytest.mark.usefixtures("running_indexer")
def test_indexing_continues_after_its_connection_was_lost(
    history: HistoryWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL restarts while a worker lives."""
    monkeypatch.setattr(indexer, "ERROR_SECONDS", 0.1)
    connected = (
        "SELECT count(*) FROM pg_stat_activity WHERE (application_name, datname) = ('indexer', current_database())"
    )
    assert wait_until(lambda: history.rows(connected) == [(1,)], 5)
    history.rows(connected.replace("count(*)", "pg_terminate_backend(pid)"))
    history.store(message_fact("after the restart"))

    assert wait_until(lambda: history.rows("SELECT text FROM search_index") == [("after the restart",)], 10)


def test_batches_become_runs(history: HistoryWriter, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger then adds up a few runs instead of every batch."""
    monkeypatch.setattr(indexer, "MIN_BATCHES", 2)
    history.store(message_fact())
    history.store(message_fact())
    running = Indexer(database_url)
    running.start()

    assert wait_until(lambda: history.rows("SELECT first, last FROM batch_runs") == [(1, 2)], 5)
    running.stop()
