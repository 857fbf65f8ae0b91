"""Runs erasures between drains: of LIDs that proved to belong to an erased person, and of interrupted commands."""

from collections.abc import Callable

from store.erasure import jobs
from store.erasure.key_store import SuppressionKeyStore
from store.postgres import connections
from store.postgres.connections import Connection
from worker.housekeeping import periodic
from worker.housekeeping.periodic import Periodic

SLICE_SECONDS = 2.0
"""The time in seconds that one run may take before the worker's other duties."""
STEP_DEADLINE_SECONDS = 20.0
"""The time limit in seconds for a step in PostgreSQL."""
POLL_SECONDS = 1.0
"""The time in seconds between two checks for pending erasures, and before a retry."""


class ErasureRunner:
    """The task that runs pending erasures. Several workers take turns."""

    def __init__(self, key_store: SuppressionKeyStore) -> None:
        self._key_store = key_store
        self._periodic = Periodic(POLL_SECONDS, "erasure postponed")

    def run(self, get_connection: Callable[[], Connection], may_continue: Callable[[], bool]) -> None:
        """Run steps of pending erasures for a limited time. After a transient error, the next run continues."""
        self._periodic.run(
            lambda: periodic.run_slice(lambda: self._step(get_connection()), SLICE_SECONDS, may_continue)
        )

    def _step(self, connection: Connection) -> bool:
        with connections.deadline(connection, STEP_DEADLINE_SECONDS):
            return jobs.has_pending(connection) and jobs.run_next_step(connection, self._key_store) is not None
