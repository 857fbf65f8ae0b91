"""The replica that readers may be sent to, where there is one."""

from collections.abc import Mapping
from typing import cast

from store.doctor import finding
from store.doctor.finding import Finding
from store.postgres import connections, errors, replica
from store.postgres.connections import DatabaseUrlError

_FINDING_NAME = "replica"
_REMEDY = "Readers go to the primary meanwhile. Bring it back, or take READ_DATABASE_URL away."


def check(environ: Mapping[str, str]) -> list[Finding]:
    """Nothing where READ_DATABASE_URL is not set."""
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
    follows, lag, receives = cast("tuple[bool, float | None, bool]", row)
    if not follows:
        cure = "It may have been promoted: name it in DATABASE_URL, or make it follow the primary again."
        return [finding.warning(_FINDING_NAME, "READ_DATABASE_URL names a server that follows nobody.", cure)]
    if not receives:
        return [finding.warning(_FINDING_NAME, "The replica receives nothing from its primary.", _REMEDY)]
    return [
        finding.by_threshold(
            _FINDING_NAME, lag or 0, replica.MAX_LAG, 300, f"The replica is {lag or 0:.1f} s behind.", _REMEDY
        )
    ]
