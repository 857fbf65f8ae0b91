"""Detects a PostgreSQL timeline change and starts a new epoch of the feed.

A promotion or a point-in-time recovery starts a new timeline. It may lack changes that readers of the feed have seen,
and may reuse their transaction ids. A reader whose cursor is from another epoch must therefore reload its state.
"""

import logging
from dataclasses import dataclass
from typing import cast

from store.postgres import connections, errors
from store.postgres.connections import Connection

log = logging.getLogger(__name__)

_QUERY_TIMEOUT = 5.0
"""The time limit of the query for the timeline, in seconds."""


def start_epoch_if_changed(connection: Connection) -> None:
    """Start a new epoch if the timeline changed.

    The connection must be new, because an old one may reach the old server.

    If the server does not report its timeline, this is only logged. Raises TransientError if the server is gone.
    """
    try:
        with connections.deadline(connection, _QUERY_TIMEOUT):
            change = advance_epoch(connection)
    except errors.StoreError as error:
        if error.sqlstate is None:
            raise
        log.warning("%s: the server does not report its timeline, so promotions are not detected", error)
    else:
        if change is not None and change.previous_timeline is None:
            log.info("the feed has the epoch %s", change.epoch)
        elif change is not None:
            log.warning("PostgreSQL is on a new timeline: the feed has the new epoch %s", change.epoch)


@dataclass(frozen=True, slots=True)
class TimelineChange:
    epoch: str
    previous_timeline: str | None
    """None if this is the first timeline recorded, in which case the epoch is unchanged."""


def advance_epoch(connection: Connection) -> TimelineChange | None:
    """Start a new epoch if the timeline changed, and return the change, or None if it did not. Raises StoreError."""
    with errors.translated():
        row = connection.execute(
            """
            UPDATE feed_epoch AS e
            SET timeline = now.timeline,
                -- A new database records its first timeline without a new epoch.
                epoch = CASE WHEN e.timeline IS NULL THEN e.epoch ELSE gen_random_uuid() END
            FROM (SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) AS timeline) AS now,
                (SELECT p.singleton, p.timeline FROM feed_epoch AS p FOR UPDATE) AS previous
            WHERE e.singleton = previous.singleton AND previous.timeline IS DISTINCT FROM now.timeline
            RETURNING e.epoch::text, previous.timeline
            """
        ).fetchone()
    return None if row is None else TimelineChange(*cast("tuple[str, str | None]", row))
