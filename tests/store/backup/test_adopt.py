"""Tests that a restored database continues on its new server."""

from tests.support.history.backups import POSITIONS, fetch_rows


def test_every_column_with_transaction_ids_is_replaced(database_url: str) -> None:
    """A transaction id means another time on another server, so store/backup/adopt.py must replace it."""
    found = fetch_rows(
        database_url,
        """
        SELECT c.relname::text, a.attname::text
        FROM pg_attribute AS a
        JOIN pg_class AS c ON c.oid = a.attrelid
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0
            AND a.atttypid::regtype::text IN ('xid8', 'xid', 'pg_snapshot', 'txid_snapshot', 'pg_lsn')
        ORDER BY 1, 2
        """,
    )

    assert found == [
        ("changes", "xid"),
        *((name, "xid") for name in sorted(POSITIONS)),
        ("whatsapp_messages", "created_xid"),
    ]
