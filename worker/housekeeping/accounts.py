"""Joins sessions with the same phone number between drains, and merges their earlier histories."""

from collections.abc import Callable, Mapping

from store.accounts import joining, merging
from store.erasure.suppressions import SuppressionCache
from store.postgres import connections
from store.postgres.connections import Connection
from worker.housekeeping import periodic
from worker.housekeeping.periodic import Periodic

SLICE_SECONDS = 1.0
"""The time in seconds that one run may take before the worker's other duties."""
STEP_DEADLINE_SECONDS = 20.0
"""The time limit in seconds for a step in PostgreSQL."""
POLL_SECONDS = 2.0
"""The time in seconds between two checks for sessions to join, and before a retry."""


class AccountRunner:
    """The task that joins sessions and merges their histories. Several workers take turns."""

    def __init__(self, configured: Mapping[str, str], own_phone: str | None, suppressions: SuppressionCache) -> None:
        """Create a runner. `configured` contains the account of each sender that has one, by the sender's name."""
        self._configured = configured
        self._own_phone = own_phone
        self._suppressions = suppressions
        self._periodic = Periodic(POLL_SECONDS, "accounts postponed")

    def run(self, get_connection: Callable[[], Connection], may_continue: Callable[[], bool]) -> None:
        """Join what is due, and merge for a limited time. After a transient error, the next run continues."""

        def join_and_merge() -> bool:
            with connections.deadline(get_connection(), STEP_DEADLINE_SECONDS):
                joining.join_due(get_connection(), self._configured, self._own_phone)
            return periodic.run_slice(lambda: self._merge(get_connection()), SLICE_SECONDS, may_continue)

        self._periodic.run(join_and_merge)

    def _merge(self, connection: Connection) -> bool:
        with connections.deadline(connection, STEP_DEADLINE_SECONDS):
            return merging.run_step(connection, self._suppressions)
