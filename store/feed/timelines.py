"""Whether this is still the same life of the database: after a promotion or a recovery to a point in time it is not.

Each begins a new timeline of PostgreSQL's. What the last one had and this one lacks, readers of the feed have seen; and
the numbers of its transactions may come again for others. So each timeline is an epoch of its own, and whoever comes
with a cursor of another one loads everything anew.
"""

import logging

from store.postgres import connections, errors
from store.postgres.connections import Connection

log = logging.getLogger(__name__)

_QUERY_TIMEOUT = 5.0
"""Seconds that PostgreSQL has to say on which timeline it is."""


def check(connection: Connection) -> None:
    """Begin another epoch if need be, on a connection that is new: an old one leads where it always led.

    A server that does not tell its timeline is left at that; raises TransientError if it is gone.
    """
    try:
        with connections.deadline(connection, _QUERY_TIMEOUT):
            epoch = advance_epoch(connection)
    except errors.StoreError as error:
        if error.sqlstate is None:
            raise
        log.warning("%s: the server does not tell its timeline, so a promotion is not noticed", error)
    else:
        if epoch is not None:
            log.warning("PostgreSQL is on a timeline of which nothing was known: the epoch of the feed is %s", epoch)


def advance_epoch(connection: Connection) -> str | None:
    """The new epoch, if this timeline has none yet; None if nothing changed. Raises StoreError."""
    with errors.translated():
        row = connection.execute(
            """
            UPDATE feed_epoch AS e
            SET timeline = now.timeline,
                -- A database that never noted one has only now learned to.
                epoch = CASE WHEN e.timeline IS NULL THEN e.epoch ELSE gen_random_uuid() END
            FROM (SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) AS timeline) AS now
            WHERE e.timeline IS DISTINCT FROM now.timeline
            RETURNING e.epoch::text
            """
        ).fetchone()
    return None if row is None else str(row[0])
