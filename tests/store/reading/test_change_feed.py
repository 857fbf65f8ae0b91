"""The change feed's reading end."""

import shutil

from dev.chaos.system_under_test import POSTGRES_SETTINGS
from dev.embedded import data_folder
from dev.embedded.postgres import EmbeddedPostgres
from store.postgres import connections, migrator
from store.reading import change_feed


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
