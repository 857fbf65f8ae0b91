"""Erases people between drains: LIDs that proved to be an erased person's, and jobs that a killed command left."""

from collections.abc import Callable

from store.erasure import jobs
from store.erasure.key_store import SuppressionKeyStore
from store.postgres import connections
from store.postgres.connections import Connection
from worker.housekeeping import periodic
from worker.housekeeping.periodic import Periodic

SLICE_SECONDS = 2.0
"""Seconds that one run may take before the worker's other duties."""
STEP_DEADLINE_SECONDS = 20.0
"""Seconds that PostgreSQL has for a step."""
POLL_SECONDS = 1.0
"""Seconds between two looks for pending erasures, and before a retry."""


class ErasureRunner:
    """Runs steps of pending erasures; several workers take steps in turn."""

    def __init__(self, key_store: SuppressionKeyStore) -> None:
        self._key_store = key_store
        self._periodic = Periodic(POLL_SECONDS, "erasure postponed")

    def run(self, get_connection: Callable[[], Connection], may_continue: Callable[[], bool]) -> None:
        """Run steps of pending erasures for a slice of time; a transient error leaves the rest for the next run."""
        self._periodic.run(
            lambda: periodic.run_slice(lambda: self._step(get_connection()), SLICE_SECONDS, may_continue)
        )

    def _step(self, connection: Connection) -> bool:
        with connections.deadline(connection, STEP_DEADLINE_SECONDS):
            return jobs.has_pending(connection) and jobs.run_next_step(connection, self._key_store) is not None
