"""The change feed's reading end."""

from datetime import timedelta

import pytest

from store import connect, feed, searchable
from store.feed import Place


@pytest.fixture
def connection(database_url: str) -> connect.Connection:
    return connect.open(database_url, "test")


def test_pruning_forgets_the_oldest_and_tells_who_missed_them(connection: connect.Connection) -> None:
    """A feed kept for ever outgrows the history; a reader that far behind must load everything again."""
    with connection:
        for age in ("3 days", "2 days", "1 hour"):
            connection.execute("INSERT INTO changes (kind, changed_at) VALUES ('session', now() - %s::interval)", [age])
        searchable.follow(connection, 10)
        first, second, third = feed.read(connection, Place(0, 0), 10).changes

        gone = feed.prune(connection, timedelta(days=1), 10)

        assert gone == 2
        assert feed.read(connection, Place(0, 0), 10).pruned
        assert feed.read(connection, first.place, 10).pruned
        kept = feed.read(connection, second.place, 10)
        assert (kept.pruned, [change.place for change in kept.changes]) == (False, [third.place])


def test_pruning_leaves_what_the_search_has_not_taken_in(connection: connect.Connection) -> None:
    """Or messages could never be found."""
    with connection:
        connection.execute("INSERT INTO changes (kind, changed_at) VALUES ('message', now() - interval '9 days')")

        assert feed.prune(connection, timedelta(days=1), 10) == 0
