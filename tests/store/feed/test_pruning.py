"""What is kept of the change feed."""

from datetime import timedelta

import psycopg

from store.feed import pruning
from store.postgres import connections

WEEK = timedelta(days=7)
OLD = "INSERT INTO changes (kind, changed_at) SELECT 'message', now() - interval '8 days' FROM generate_series(1, 30)"


def test_the_feed_is_pruned_also_where_no_api_keeps_the_search_up(database_url: str) -> None:
    """Or a system that only stores would keep every change for ever."""
    with connections.open(database_url, "test") as connection:
        connection.execute(OLD)
        connection.execute("INSERT INTO changes (kind) VALUES ('message')")
        pruned = [pruning.prune(connection, WEEK, 20) for _ in range(4)]
        left = connection.execute("SELECT count(*) FROM changes").fetchone()

    assert (sum(pruned), pruned[-1], left) == (30, 0, (1,))


def test_the_lag_is_how_long_the_oldest_hidden_change_waits(database_url: str) -> None:
    """A transaction that never ends stops every reader of the feed: somebody must be able to see that."""
    with connections.open(database_url, "test") as connection, psycopg.connect(database_url) as slow:
        before = pruning.horizon_lag(connection)
        slow.execute("SELECT pg_current_xact_id()")
        connection.execute("INSERT INTO changes (kind, changed_at) VALUES ('message', now() - interval '90 s')")
        held = pruning.horizon_lag(connection)
        slow.rollback()
        after = pruning.horizon_lag(connection)

    assert (before, after) == (0, 0)
    assert held >= 90
