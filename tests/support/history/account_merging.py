"""Joins sessions to accounts and merges their earlier histories, as the worker does in steps."""

from store.accounts import joining, merging
from store.erasure.suppressions import SuppressionCache
from store.postgres import connections
from store.postgres.connections import Connection


def join_and_merge(database_url: str) -> None:
    """Join the sessions of each phone number to an account, and merge their histories."""
    with connections.open(database_url, "join") as connection:
        joining.join_due(connection)
        merge_all(connection)


def merge_all(connection: Connection, suppressions: SuppressionCache | None = None) -> None:
    """Run steps until none can be run."""
    while merging.run_step(connection, suppressions or SuppressionCache()):
        pass
