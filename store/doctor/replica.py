"""The replica that readers may be sent to, where there is one."""

from collections.abc import Mapping
from typing import cast

from store.doctor import finding
from store.doctor.finding import Finding
from store.postgres import connections, errors, replica
from store.postgres.connections import NoDatabaseError

_NAME = "replica"
_CURE = "Readers go to the primary meanwhile. Bring it back, or take READ_DATABASE_URL away."


def findings(environ: Mapping[str, str]) -> list[Finding]:
    """Nothing where READ_DATABASE_URL is not set."""
    try:
        url = connections.read_url(environ)
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
    except NoDatabaseError as error:
        return [finding.broken(_NAME, str(error), _CURE)]
    except errors.StoreError as error:
        return [finding.warning(_NAME, f"The replica of READ_DATABASE_URL does not answer: {error}", _CURE)]
    follows, lag, receives = cast("tuple[bool, float | None, bool]", row)
    if not follows:
        cure = "It may have been promoted: name it in DATABASE_URL, or make it follow the primary again."
        return [finding.warning(_NAME, "READ_DATABASE_URL names a server that follows nobody.", cure)]
    if not receives:
        return [finding.warning(_NAME, "The replica receives nothing from its primary.", _CURE)]
    return [finding.above(_NAME, lag or 0, replica.LAG, 300, f"The replica is {lag or 0:.1f} s behind.", _CURE)]
