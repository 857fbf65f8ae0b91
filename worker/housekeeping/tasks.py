"""What a worker does between drains: redrives somebody asked for, forgetting old changes, room for coming events."""

import logging
import time
from collections.abc import Callable
from datetime import timedelta

from store.feed import pruning
from store.postgres import connections
from store.postgres.errors import TransientError
from store.retention import partitions
from worker.drain.drainer import Drainer
from worker.housekeeping.erasures import ErasureRunner
from worker.housekeeping.redrives import RedriveRunner
from worker.metrics.worker import WorkerMetrics

log = logging.getLogger("worker.housekeeping.tasks")

INTERVAL_SECONDS = 60.0
"""Seconds between two looks for changes that are old enough to be forgotten, and for months without a partition."""
PRUNE_LIMIT = 2_000
"""How many are forgotten in one transaction: it keeps younger changes from the feed's readers, so it is short."""
DATABASE_DEADLINE_SECONDS = 20.0
"""Seconds that PostgreSQL has for it."""


class Housekeeping:
    """One worker's share; several do no harm to each other."""

    def __init__(
        self,
        drainer: Drainer,
        redrives: RedriveRunner,
        erasures: ErasureRunner,
        metrics: WorkerMetrics,
        *,
        feed_days: int,
    ) -> None:
        self._drainer = drainer
        self._redrives = redrives
        self._erasures = erasures
        self._metrics = metrics
        self._feed_retention = timedelta(days=feed_days)
        self._next_prune_at = 0.0
        self._next_partitions_at = 0.0

    def run_due(self, may_continue: Callable[[], bool]) -> None:
        """Do a little of what is due; `may_go_on` says whether nothing else waits. Waits for PostgreSQL, if need be."""
        self._erasures.run(self._drainer.connection, may_continue)
        self._redrives.run(self._drainer.connection, may_continue)
        if time.monotonic() >= self._next_prune_at:
            self._prune()
        if time.monotonic() >= self._next_partitions_at:
            self._create_partitions()

    def close(self) -> None:
        self._redrives.release()

    def _prune(self) -> None:
        try:
            connection = self._drainer.connection()
            with connections.deadline(connection, DATABASE_DEADLINE_SECONDS):
                pruned = pruning.prune(connection, self._feed_retention, PRUNE_LIMIT)
        except TransientError as error:
            log.warning("%s: the feed is pruned later", error)
            pruned = 0
        self._metrics.record_pruned(pruned)
        # Where there is more to forget, again after the next drain.
        self._next_prune_at = time.monotonic() + (0 if pruned else INTERVAL_SECONDS)

    def _create_partitions(self) -> None:
        """Have partitions for the coming months; until there is one, its events are kept among the rest."""
        self._next_partitions_at = time.monotonic() + INTERVAL_SECONDS
        try:
            connection = self._drainer.connection()
            with connections.deadline(connection, DATABASE_DEADLINE_SECONDS):
                made = partitions.create_missing(connection)
        except TransientError as error:
            log.warning("%s: partitions for the coming months are made later", error)
        else:
            if made:
                log.info("made %s", ", ".join(made))
