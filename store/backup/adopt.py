"""Adapts a restored database to its new server: transaction ids, the feed's epoch and the stream's status."""

from collections.abc import Sequence

from store.postgres import errors
from store.postgres.connections import Connection


def reset_server_state(connection: Connection, migrations: Sequence[str]) -> None:
    """Replace the old server's transaction ids, start a new epoch and record the migrations, in one transaction.

    Every server counts transaction ids from its own start, so stored ones mean nothing on another server. A test
    ensures that every column with transaction ids is replaced here.
    """
    with errors.translated(), connection.transaction():
        # Cursors and pages of earlier epochs are rejected, because they may have delivered changes that the backup
        # lacks.
        connection.execute("UPDATE feed_epoch SET epoch = gen_random_uuid()")
        # Restored messages are visible to every page of this epoch, so their transaction is the oldest possible one.
        # Adding a column with a default takes no time, whereas an UPDATE would rewrite every message.
        connection.execute(
            "ALTER TABLE whatsapp_messages DROP COLUMN created_xid, ADD COLUMN created_xid xid8 NOT NULL DEFAULT '2'"
        )
        connection.execute("ALTER TABLE whatsapp_messages ALTER COLUMN created_xid SET DEFAULT pg_current_xact_id()")
        # Changes that are not indexed yet are kept as changes of this transaction.
        connection.execute(
            "DELETE FROM changes AS c USING search_index_position AS u"
            " WHERE (c.xid, c.change_id) <= (u.xid, u.change_id)"
        )
        connection.execute("UPDATE changes SET xid = pg_current_xact_id()")
        connection.execute("UPDATE search_index_position SET xid = pg_current_xact_id(), change_id = 0")
        connection.execute("UPDATE push_position SET xid = pg_current_xact_id(), change_id = 0")
        connection.execute("UPDATE feed_floor SET xid = '0', change_id = 0")
        # The recorded status is that of the old system's stream.
        connection.execute("DELETE FROM stream_status")
        record_migrations(connection, migrations)


def record_migrations(connection: Connection, migrations: Sequence[str]) -> None:
    """Record that these migrations are applied."""
    with errors.translated():
        connection.execute("INSERT INTO migrations (name) SELECT unnest(%s::text[])", [list(migrations)])
