"""Runs the worker's duties between drains: erasures, accounts, redrives, the change feed, new event partitions."""

import logging
from collections.abc import Callable, Sequence
from datetime import timedelta

from store.feed import pruning
from store.postgres import connections
from store.replay.redrive import RedriveRunner
from store.retention import partitions
from worker.drain.drainer import Drainer
from worker.housekeeping.accounts import AccountRunner
from worker.housekeeping.erasures import ErasureRunner
from worker.housekeeping.periodic import Periodic
from worker.metrics.worker import WorkerMetrics

log = logging.getLogger("worker.housekeeping.tasks")

INTERVAL_SECONDS = 60.0
"""The time in seconds between two checks for expired changes and missing partitions."""
REDRIVE_POLL_SECONDS = 1.0
"""The time in seconds between two checks for queued redrives, and before a retry."""
PRUNE_LIMIT = 2_000
"""The number of changes deleted in one transaction. It is short, because it hides newer changes from readers of the
feed.
"""
DATABASE_DEADLINE_SECONDS = 20.0
"""The time limit in seconds for PostgreSQL."""


class Housekeeping:
    """The duties of one worker. Several workers do not disturb each other."""

    def __init__(
        self,
        drainer: Drainer,
        redrives: RedriveRunner,
        runners: Sequence[ErasureRunner | AccountRunner],
        metrics: WorkerMetrics,
        feed_days: int,
    ) -> None:
        self._drainer = drainer
        self._redrives = redrives
        self._runners = runners
        self._metrics = metrics
        self._feed_retention = timedelta(days=feed_days)
        self._pruning = Periodic(INTERVAL_SECONDS, "pruning of the change feed postponed")
        self._redriving = Periodic(REDRIVE_POLL_SECONDS, "redrive paused; retrying")
        self._partitioning = Periodic(INTERVAL_SECONDS, "creation of event partitions postponed")

    def run_due(self, may_continue: Callable[[], bool]) -> None:
        """Run each duty that is due for a limited time. `may_continue` returns whether nothing waits to be drained."""
        for runner in self._runners:
            runner.run(self._drainer.connection, may_continue)
        self._redriving.run(lambda: self._redrives.run_slice(self._drainer.connection(), may_continue))
        self._pruning.run(self._prune)
        self._partitioning.run(self._create_partitions)

    def close(self) -> None:
        self._redrives.release()

    def _prune(self) -> bool:
        connection = self._drainer.connection()
        with connections.deadline(connection, DATABASE_DEADLINE_SECONDS):
            pruned = pruning.prune(connection, self._feed_retention, PRUNE_LIMIT)
        self._metrics.feed_pruned.inc(pruned)
        return pruned > 0

    def _create_partitions(self) -> bool:
        """Create partitions for the next months. The events of a month without one go to the default partition."""
        connection = self._drainer.connection()
        with connections.deadline(connection, DATABASE_DEADLINE_SECONDS):
            created = partitions.create_missing(connection)
        if created:
            log.info("created %s", ", ".join(created))
        return False
