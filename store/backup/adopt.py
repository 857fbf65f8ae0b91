"""What a restored database has to forget of the server that it was: transaction ids, cursors, the queue."""

from collections.abc import Sequence

from store.postgres import errors
from store.postgres.connections import Connection


def reset_server_state(connection: Connection, migrations: Sequence[str]) -> None:
    """Make what was restored this server's own, under a new epoch, and note its migrations; in one transaction.

    Transaction ids count anew on every server: those of the old one are no place in this one's order. Every column that
    holds any is dealt with here, which a test sees to.
    """
    with errors.translated(), connection.transaction():
        # Cursors and pages of before are refused from now on: what was delivered by them may not have happened.
        connection.execute("UPDATE feed_epoch SET epoch = gen_random_uuid()")
        # Rows that were restored could be shown by every page of this epoch: born before anything. The column is made
        # anew, which costs no time, where an update would write every message twice.
        connection.execute(
            """
            ALTER TABLE whatsapp_messages
                DROP COLUMN created_xid,
                ADD COLUMN created_xid xid8 NOT NULL DEFAULT '2'
            """
        )
        connection.execute("ALTER TABLE whatsapp_messages ALTER COLUMN created_xid SET DEFAULT pg_current_xact_id()")
        # What the search has not taken in yet goes on waiting for it, as if it had been written just now.
        connection.execute(
            "DELETE FROM changes AS c USING search_index_position AS u WHERE (c.xid, c.change_id) <= (u.xid, "
            "u.change_id)"
        )
        connection.execute("UPDATE changes SET xid = pg_current_xact_id()")
        connection.execute("UPDATE search_index_position SET xid = pg_current_xact_id(), change_id = 0")
        connection.execute("UPDATE feed_floor SET xid = '0', change_id = 0")
        # What workers saw of the queue then says nothing about now, least of all that it has been empty for long.
        connection.execute("DELETE FROM stream_status")
        record_migrations(connection, migrations)


def reset_timeline(connection: Connection) -> None:
    """The old server's timeline is none of this one's: the epoch that was drawn is good for whichever this is on.

    After all migrations, as older backups have no such column.
    """
    with errors.translated():
        connection.execute("UPDATE feed_epoch SET timeline = NULL")


def record_migrations(connection: Connection, migrations: Sequence[str]) -> None:
    """Note that these migrations are applied."""
    with errors.translated():
        connection.execute("INSERT INTO migrations (name) SELECT unnest(%s::text[])", [list(migrations)])
