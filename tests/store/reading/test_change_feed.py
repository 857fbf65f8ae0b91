"""Tests reading the change feed."""

from pathlib import Path

from dev.chaos.system_under_test import POSTGRES_SETTINGS
from dev.embedded.postgres import EmbeddedPostgres
from store.postgres import connections, migrator
from store.reading import change_feed


def test_a_transaction_id_that_is_reused_after_a_crash_is_not_skipped(server_folder: Path) -> None:
    """Transactions that were rolled back just before a crash leave no trace on disk, so their ids are reused."""
    lazy = {"wal_writer_delay": "10s", "autovacuum": "off"}
    with EmbeddedPostgres(server_folder / "postgres", ephemeral=True, settings=POSTGRES_SETTINGS | lazy) as server:
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
            cursor = connection.execute("INSERT INTO changes (kind) VALUES ('session') RETURNING xid::text::bigint")
            [(xid,)] = cursor.fetchall()
            assert int(str(xid)) < int(str(asked and asked[0])), "the number came again, or this test shows nothing"

            assert [change.position.xid for change in change_feed.read(connection, upto, 10).entries] == [xid]
