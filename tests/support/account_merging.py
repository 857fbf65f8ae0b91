"""Merges the earlier histories of sessions into their accounts, as the worker does in steps."""

from store.accounts import merging
from store.erasure.suppressions import SuppressionCache
from store.postgres.connections import Connection


def merge_all(connection: Connection, suppressions: SuppressionCache | None = None) -> None:
    """Run steps until none can be run."""
    while merging.run_step(connection, suppressions or SuppressionCache()):
        pass
