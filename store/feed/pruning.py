"""Deletes old changes from the feed, and measures how long running transactions have held back new ones."""

from datetime import timedelta
from typing import cast

from store.postgres import errors
from store.postgres.connections import Connection


def prune(connection: Connection, max_age: timedelta, limit: int) -> int:
    """Delete up to `limit` changes that are older than `max_age` and indexed for search. Return their number.

    The floor rises accordingly. A reader whose position is below it must reload its state.
    """
    with errors.translated():
        row = connection.execute(
            """
            WITH old AS (
                SELECT c.xid, c.change_id
                FROM changes AS c
                WHERE c.xid < pg_snapshot_xmin(pg_current_snapshot())
                ORDER BY c.xid, c.change_id
                LIMIT %(at_most)s
            ),
            boundary AS (
                SELECT o.xid, o.change_id
                FROM old AS o
                JOIN changes AS c USING (xid, change_id)
                -- The search index is built from the feed (store/search_index/search_index.py).
                JOIN search_index_position AS s ON (o.xid, o.change_id) <= (s.xid, s.change_id)
                WHERE c.changed_at < now() - %(age)s
                ORDER BY o.xid DESC, o.change_id DESC
                LIMIT 1
            ),
            deleted AS (
                DELETE FROM changes AS c
                USING boundary AS u
                WHERE (c.xid, c.change_id) <= (u.xid, u.change_id)
                RETURNING 1
            ),
            floor AS (
                UPDATE feed_floor AS f
                SET xid = u.xid, change_id = u.change_id
                FROM boundary AS u
                WHERE (f.xid, f.change_id) < (u.xid, u.change_id)
            )
            SELECT count(*) FROM deleted
            """,
            {"age": max_age, "at_most": limit},
        ).fetchone()
    return cast("int", row[0]) if row else 0


def horizon_lag(connection: Connection) -> float:
    """Return the time in seconds for which a transaction has held back the oldest change, or 0 if none is held back."""
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
