"""How long changes are kept in the feed, and for how long some are kept back from its readers."""

from datetime import timedelta
from typing import cast

from store.feed import search_index
from store.postgres import errors
from store.postgres.connections import Connection
from store.reading import change_feed


def prune(connection: Connection, max_age: timedelta, limit: int) -> int:
    """Prune, and let the search follow first where nobody does: without an API nothing else would."""
    if _search_index_is_behind(connection, max_age):
        search_index.advance(connection, limit)
    with errors.translated():
        return change_feed.prune(connection, max_age, limit)


def _search_index_is_behind(connection: Connection, max_age: timedelta) -> bool:
    """Whether the search has not taken in changes that are due to be forgotten."""
    with errors.translated():
        row = connection.execute(
            """
            SELECT c.changed_at < now() - %(age)s
            FROM search_index_position AS u
            CROSS JOIN LATERAL (
                SELECT c.changed_at
                FROM changes AS c
                WHERE (c.xid, c.change_id) > (u.xid, u.change_id)
                ORDER BY c.xid, c.change_id
                LIMIT 1
            ) AS c
            """,
            {"age": max_age},
        ).fetchone()
    return row == (True,)


def horizon_lag(connection: Connection) -> float:
    """Seconds for which the oldest change has been kept back by a transaction that still runs; 0: none is."""
    with errors.translated():
        row = connection.execute(
            """
            SELECT extract(epoch FROM clock_timestamp() - c.changed_at)::float8
            FROM changes AS c
            WHERE c.xid >= pg_snapshot_xmin(pg_current_snapshot())
            ORDER BY c.xid, c.change_id
            LIMIT 1
            """
        ).fetchone()
    return 0.0 if row is None else max(0.0, cast("float", row[0]))
