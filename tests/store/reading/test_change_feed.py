"""The change feed's reading end."""

import shutil
from datetime import timedelta

import pytest

from dev.chaos.system_under_test import POSTGRES_SETTINGS
from dev.embedded import data_folder
from dev.embedded.postgres import EmbeddedPostgres
from store.feed import search_index
from store.postgres import connections, migrator
from store.reading import change_feed
from store.reading.change_feed import FeedPosition


@pytest.fixture
def connection(database_url: str) -> connections.Connection:
    return connections.open(database_url, "test")


def test_pruning_forgets_the_oldest_and_tells_who_missed_them(connection: connections.Connection) -> None:
    """A feed kept for ever outgrows the history; a reader that far behind must load everything again."""
    with connection:
        for age in ("3 days", "2 days", "1 hour"):
            connection.execute("INSERT INTO changes (kind, changed_at) VALUES ('session', now() - %s::interval)", [age])
        search_index.advance(connection, 10)
        first, second, third = change_feed.read(connection, FeedPosition(0, 0), 10).entries

        gone = change_feed.prune(connection, timedelta(days=1), 10)

        assert gone == 2
        assert change_feed.read(connection, FeedPosition(0, 0), 10).is_pruned
        assert change_feed.read(connection, first.position, 10).is_pruned
        kept = change_feed.read(connection, second.position, 10)
        assert (kept.is_pruned, [change.position for change in kept.entries]) == (False, [third.position])


def test_pruning_leaves_what_the_search_has_not_taken_in(connection: connections.Connection) -> None:
    """Or messages could never be found."""
    with connection:
        connection.execute("INSERT INTO changes (kind, changed_at) VALUES ('message', now() - interval '9 days')")

        assert change_feed.prune(connection, timedelta(days=1), 10) == 0


def test_a_number_that_a_crash_has_given_out_twice_is_not_skipped() -> None:
    """What was rolled back in the moment before leaves no trace on disk, and its numbers come again for others."""
    folder = data_folder.create_temporary()
    lazy = {"wal_writer_delay": "10s", "autovacuum": "off"}
    with EmbeddedPostgres(folder / "postgres", ephemeral=True, settings=POSTGRES_SETTINGS | lazy) as server:
        migrator.migrate(server.url)
        with connections.open(server.url, "test") as connection:
            connection.execute("INSERT INTO changes (kind) VALUES ('session')")
            _, began = change_feed.current_position(connection)
            for _ in range(30):
                with connection.transaction(force_rollback=True):
                    connection.execute("INSERT INTO changes (kind) VALUES ('session')")
            asked = connection.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint").fetchone()
            upto = change_feed.read(connection, began, 10).next_position
            server.kill()
        server.start()
        with connections.open(server.url, "test") as connection:
            told = connection.execute("INSERT INTO changes (kind) VALUES ('session') RETURNING xid::text::bigint")
            [(xid,)] = told.fetchall()
            assert int(str(xid)) < int(str(asked and asked[0])), "the number came again, or this test shows nothing"

            assert [change.position.xid for change in change_feed.read(connection, upto, 10).entries] == [xid]
    shutil.rmtree(folder)
