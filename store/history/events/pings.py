"""Looks up and deletes test pings, which are counted as events but are not part of the history."""

from typing import cast

from store.postgres.connections import Connection


def is_stored(connection: Connection, digest: bytes) -> bool:
    """Return whether a worker has stored a ping with this digest."""
    found = connection.execute(
        "SELECT FROM event_digests AS d WHERE d.digest = %s AND d.outcome = 'ping'", [digest]
    ).fetchone()
    return found is not None


def delete_body(connection: Connection, digest: bytes) -> bool:
    """Delete the raw body of a ping and return whether there was one. The ledger still counts the ping."""
    with connection.transaction():
        row = connection.execute(
            "SELECT d.received_at FROM event_digests AS d WHERE d.digest = %s AND d.outcome = 'ping'", [digest]
        ).fetchone()
        if row is None:
            return False
        # The time selects the partition.
        deleted = connection.execute(
            "DELETE FROM raw_events AS e WHERE e.received_at = %s AND e.digest = %s", [cast("int", row[0]), digest]
        )
    return deleted.rowcount > 0
