"""Checks the replica that serves reads, if one is configured."""

from collections.abc import Mapping
from typing import cast

from store.doctor import finding
from store.doctor.finding import Finding
from store.postgres import connections, errors, replica
from store.postgres.connections import DatabaseUrlError

_FINDING_NAME = "replica"
_REMEDY = "The primary serves reads meanwhile. Repair the replica, or unset READ_DATABASE_URL."


def check(environ: Mapping[str, str]) -> list[Finding]:
    """Check the replica. Return no finding if READ_DATABASE_URL is not set."""
    try:
        url = connections.replica_url(environ)
        if url is None:
            return []
        with connections.open(url, "doctor") as connection, errors.translated():
            row = connection.execute(
                """
                SELECT pg_is_in_recovery(),
                    CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
                        ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) END::float8,
                    EXISTS (SELECT FROM pg_stat_wal_receiver)
                """
            ).fetchone()
    except DatabaseUrlError as error:
        return [finding.broken(_FINDING_NAME, str(error), _REMEDY)]
    except errors.StoreError as error:
        return [finding.warning(_FINDING_NAME, f"The replica of READ_DATABASE_URL does not answer: {error}", _REMEDY)]
    in_recovery, lag, is_connected = cast("tuple[bool, float | None, bool]", row)
    if not in_recovery:
        remedy = "It may have been promoted: set DATABASE_URL to it, or make it a replica again."
        return [finding.warning(_FINDING_NAME, "READ_DATABASE_URL names a server that is not a replica.", remedy)]
    if not is_connected:
        return [finding.warning(_FINDING_NAME, "The replica is not connected to its primary.", _REMEDY)]
    message = f"The replica is {lag or 0:.1f} s behind."
    return [finding.by_threshold(_FINDING_NAME, lag or 0, replica.MAX_LAG, 300, message, _REMEDY)]
