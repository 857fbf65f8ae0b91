"""Tests the pruning of the change feed."""

from datetime import timedelta

import psycopg

from store.feed import pruning
from store.postgres import connections
from store.reading import change_feed
from store.reading.change_feed import FeedPosition
from store.search_index import search_index

WEEK = timedelta(days=7)
OLD = "INSERT INTO changes (kind, changed_at) SELECT 'message', now() - interval '8 days' FROM generate_series(1, 30)"


def test_each_call_prunes_at_most_the_limit(database_url: str) -> None:
    """A long transaction would hide newer changes from readers of the feed."""
    with connections.open(database_url, "test") as connection:
        connection.execute(OLD)
        connection.execute("INSERT INTO changes (kind) VALUES ('message')")
        search_index.advance(connection, 100)
        pruned = [pruning.prune(connection, WEEK, 20) for _ in range(4)]
        left = connection.execute("SELECT count(*) FROM changes").fetchone()

    assert (sum(pruned), pruned[-1], left) == (30, 0, (1,))


def test_pruning_deletes_the_oldest_changes_and_a_reader_learns_that_it_missed_them(database_url: str) -> None:
    """A feed that is kept forever outgrows the history, so a reader that is far behind must load everything again."""
    with connections.open(database_url, "test") as connection:
        for age in ("3 days", "2 days", "1 hour"):
            connection.execute("INSERT INTO changes (kind, changed_at) VALUES ('session', now() - %s::interval)", [age])
        search_index.advance(connection, 10)
        first, second, third = change_feed.read(connection, FeedPosition(0, 0), 10).entries

        assert pruning.prune(connection, timedelta(days=1), 10) == 2
        assert change_feed.read(connection, FeedPosition(0, 0), 10).is_pruned
        assert change_feed.read(connection, first.position, 10).is_pruned
        kept = change_feed.read(connection, second.position, 10)
        assert (kept.is_pruned, [change.position for change in kept.entries]) == (False, [third.position])


def test_pruning_keeps_changes_that_the_search_index_lacks(database_url: str) -> None:
    """Otherwise the messages of these changes would never be indexed."""
    with connections.open(database_url, "test") as connection:
        connection.execute("INSERT INTO changes (kind, changed_at) VALUES ('message', now() - interval '9 days')")

        assert pruning.prune(connection, timedelta(days=1), 10) == 0


def test_horizon_lag_is_the_age_of_the_oldest_held_back_change(database_url: str) -> None:
    """A transaction that never ends blocks every reader of the feed, so it must be visible."""
    with connections.open(database_url, "test") as connection, psycopg.connect(database_url) as slow:
        before = pruning.horizon_lag(connection)
        slow.execute("SELECT pg_current_xact_id()")
        connection.execute("INSERT INTO changes (kind, changed_at) VALUES ('message', now() - interval '90 s')")
        held = pruning.horizon_lag(connection)
        slow.rollback()
        after = pruning.horizon_lag(connection)

    assert (before, after) == (0, 0)
    assert held >= 90
