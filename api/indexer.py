"""Keeps the search up with the messages, and the ledger's sums with its batches.

Whoever searches or looks at the ledger runs an API, and whoever stores need not wait for it.
"""

import asyncio
import logging
import time

import anyio
import anyio.to_thread

from api.http.database import Backend
from store.feed import search_index
from store.ledger import batch_runs
from store.postgres import errors

log = logging.getLogger(__name__)

_PAGE = 250
"""Changes per transaction: while one runs, it keeps younger changes from the feed's readers, so it is short."""
_PAUSE = 0.5
"""Seconds between two looks when there was nothing more."""
_BACK_OFF = 5.0
_BATCHES = 500
"""The ledger adds up so many batches one by one before they become part of a run."""
_COUNTING = 10.0
"""Seconds between two looks at how many those are."""


async def run(backend: Backend) -> None:
    """Follow the change feed until cancelled; of several processes one does it at a time."""
    threads = anyio.CapacityLimiter(1)
    counted = -_COUNTING
    while True:
        try:
            more = await anyio.to_thread.run_sync(_follow, backend, limiter=threads)
            if time.monotonic() - counted >= _COUNTING:
                counted = time.monotonic()
                await anyio.to_thread.run_sync(_add_up, backend, limiter=threads)
        except errors.StoreError as error:
            log.warning("search and ledger cannot follow: %s", error)
            await asyncio.sleep(_BACK_OFF)
            continue
        if not more:
            await asyncio.sleep(_PAUSE)


def _follow(backend: Backend) -> bool:
    with backend.writes.connection() as connection:
        return search_index.follow(connection, _PAGE)


def _add_up(backend: Backend) -> None:
    with backend.writes.connection() as connection:
        batch_runs.extend(connection, _BATCHES)
