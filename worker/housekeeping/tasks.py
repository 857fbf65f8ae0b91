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
from worker.housekeeping.erasures import Erasures
from worker.housekeeping.redrives import Redrives
from worker.metrics.worker import Metrics

log = logging.getLogger("worker.housekeeping.tasks")

EVERY = 60.0
"""Seconds between two looks for changes that are old enough to be forgotten, and for months without a partition."""
CHANGES = 2_000
"""How many are forgotten in one transaction: it keeps younger changes from the feed's readers, so it is short."""
ANSWER = 20.0
"""Seconds that PostgreSQL has for it."""


class Housekeeping:
    """One worker's share; several do no harm to each other."""

    def __init__(
        self, drainer: Drainer, redrives: Redrives, erasures: Erasures, metrics: Metrics, *, feed_days: int
    ) -> None:
        self._drainer = drainer
        self._redrives = redrives
        self._erasures = erasures
        self._metrics = metrics
        self._kept = timedelta(days=feed_days)
        self._next = 0.0
        self._look_ahead_at = 0.0

    def go_on(self, may_go_on: Callable[[], bool]) -> None:
        """Do a little of what is due; `may_go_on` says whether nothing else waits. Waits for PostgreSQL, if need be."""
        self._erasures.go_on(self._drainer.connection, may_go_on)
        self._redrives.go_on(self._drainer.connection, may_go_on)
        if time.monotonic() >= self._next:
            self._prune()
        if time.monotonic() >= self._look_ahead_at:
            self._look_ahead()

    def close(self) -> None:
        self._redrives.let_go()

    def _prune(self) -> None:
        try:
            connection = self._drainer.connection()
            with connections.deadline(connection, ANSWER):
                pruned = pruning.prune(connection, self._kept, CHANGES)
        except TransientError as error:
            log.warning("%s: the feed is pruned later", error)
            pruned = 0
        self._metrics.pruned(pruned)
        # Where there is more to forget, again after the next drain.
        self._next = time.monotonic() + (0 if pruned else EVERY)

    def _look_ahead(self) -> None:
        """Have partitions for the coming months; until there is one, its events are kept among the rest."""
        self._look_ahead_at = time.monotonic() + EVERY
        try:
            connection = self._drainer.connection()
            with connections.deadline(connection, ANSWER):
                made = partitions.make(connection)
        except TransientError as error:
            log.warning("%s: partitions for the coming months are made later", error)
        else:
            if made:
                log.info("made %s", ", ".join(made))
