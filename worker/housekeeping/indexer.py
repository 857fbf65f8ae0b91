"""Keeps the search index and the ledger's batch runs up to date in its own thread, so that drains do not delay it."""

import logging
import threading
import time

from store.ledger import batch_runs
from store.postgres import errors
from store.postgres.connections import Connection
from store.postgres.pool import Pool
from store.search_index import search_index

log = logging.getLogger("worker.housekeeping.indexer")

IDLE_SECONDS = 0.5
"""The time between two checks for new changes, in seconds."""
ERROR_SECONDS = 5.0
BATCH_RUNS_INTERVAL = 10.0
"""The time between two checks for batches that are in no run, in seconds."""
CHANGES_PER_TRANSACTION = 1000
"""The maximum, because an open transaction holds back newer changes from readers of the feed."""
MIN_BATCHES = 500
"""The number of batches outside of runs from which the runs are extended."""


class Indexer:
    """The indexer of one worker. If there are several, only one works at a time."""

    def __init__(self, database_url: str) -> None:
        self._pool = Pool(database_url, "indexer", size=1, read_only=False)
        self._stopping = threading.Event()
        self._limit = CHANGES_PER_TRANSACTION
        self._thread = threading.Thread(target=self._run, name="indexer", daemon=True)

    def start(self) -> None:
        """Start a thread that indexes until `stop`."""
        self._pool.open()
        self._thread.start()

    def stop(self) -> None:
        """Wait for the current transaction and close the connection."""
        self._stopping.set()
        self._thread.join()
        self._pool.close()

    def _run(self) -> None:
        next_extension_at = 0.0
        while not self._stopping.is_set():
            try:
                with self._pool.connection() as connection:
                    if time.monotonic() >= next_extension_at:
                        next_extension_at = time.monotonic() + BATCH_RUNS_INTERVAL
                        batch_runs.extend(connection, MIN_BATCHES)
                    has_more = self._advance_index(connection)
            except errors.StoreError as error:
                log.warning("indexing failed: %s", error)
                self._stopping.wait(ERROR_SECONDS)
            else:
                if not has_more:
                    self._stopping.wait(IDLE_SECONDS)

    def _advance_index(self, connection: Connection) -> bool:
        """Index the next changes. Return whether there may be more.

        After a transaction that failed because of its texts, the next one has half as many changes. A single change
        that fails is skipped.
        """
        try:
            has_more = search_index.advance(connection, self._limit)
        except errors.StoreError as error:
            if not search_index.is_caused_by_texts(error):
                raise
            if self._limit > 1:
                self._limit //= 2
            else:
                log.warning("a message cannot be indexed and is skipped: %s", error)
                search_index.advance(connection, 1, skip_reason=search_index.skip_reason_of(error))
            return True
        self._limit = min(2 * self._limit, CHANGES_PER_TRANSACTION)
        return has_more
