"""Keeps the search up with the messages, and the ledger's sums with its batches.

Whoever searches or looks at the ledger runs an API, and whoever stores need not wait for it.
"""

import asyncio
import logging
import time

import anyio
import anyio.to_thread

from api.http.database import Database
from store.feed import search_index
from store.ledger import batch_runs
from store.postgres import errors

log = logging.getLogger(__name__)

_CHANGES_PER_TRANSACTION = 250
"""Changes per transaction: while one runs, it keeps younger changes from the feed's readers, so it is short."""
_IDLE_SECONDS = 0.5
"""Seconds between two looks when there was nothing more."""
_ERROR_SECONDS = 5.0
_BATCHES_PER_RUN = 500
"""The ledger adds up so many batches one by one before they become part of a run."""
_RUN_INTERVAL = 10.0
"""Seconds between two looks at how many those are."""


async def run(database: Database) -> None:
    """Follow the change feed until cancelled; of several processes one does it at a time."""
    threads = anyio.CapacityLimiter(1)
    counted = -_RUN_INTERVAL
    while True:
        try:
            more = await anyio.to_thread.run_sync(_index_changes, database, limiter=threads)
            if time.monotonic() - counted >= _RUN_INTERVAL:
                counted = time.monotonic()
                await anyio.to_thread.run_sync(_extend_batch_runs, database, limiter=threads)
        except errors.StoreError as error:
            log.warning("search and ledger cannot follow: %s", error)
            await asyncio.sleep(_ERROR_SECONDS)
            continue
        if not more:
            await asyncio.sleep(_IDLE_SECONDS)


def _index_changes(database: Database) -> bool:
    with database.write_pool.connection() as connection:
        return search_index.advance(connection, _CHANGES_PER_TRANSACTION)


def _extend_batch_runs(database: Database) -> None:
    with database.write_pool.connection() as connection:
        batch_runs.extend(connection, _BATCHES_PER_RUN)
