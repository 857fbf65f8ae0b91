"""Checks for old transactions and idle replication slots, which hold back vacuum and the change feed."""

from typing import cast

from store.doctor import finding
from store.doctor.finding import Finding
from store.feed import pruning
from store.postgres.connections import Connection

_WARN_SECONDS, _BROKEN_SECONDS = 60, 900
"""The durations of a transaction in seconds that are a warning, and broken. Transactions of this system last at most 20
s.
"""
_GIB = 1 << 30


def oldest_transaction(connection: Connection) -> list[Finding]:
    """Check the oldest transaction of any client. Its query is not shown, because it may contain messages."""
    row = connection.execute(
        """
        SELECT extract(epoch FROM clock_timestamp() - a.xact_start)::float8, a.pid, a.state, a.application_name
        FROM pg_stat_activity AS a
        WHERE a.xact_start IS NOT NULL AND a.pid <> pg_backend_pid() AND a.datname = current_database()
            AND a.backend_type <> 'autovacuum worker'
        ORDER BY a.xact_start
        LIMIT 1
        """
    ).fetchone()
    name = "postgresql.transactions"
    if row is None:
        return [finding.ok(name, "No other transaction is running.")]
    seconds, pid, state, application = cast("tuple[float, int, str, str]", row)
    message = f"The oldest transaction has run for {max(seconds, 0):.0f} s (process {pid}, {state}, {application!r})."
    remedy = f"It holds back the change feed and vacuum. End it in its program, or SELECT pg_terminate_backend({pid});"
    return [finding.by_threshold(name, seconds, _WARN_SECONDS, _BROKEN_SECONDS, message, remedy)]


def prepared_transactions(connection: Connection) -> list[Finding]:
    row = connection.execute(
        """
        SELECT count(*), min(p.gid), extract(epoch FROM clock_timestamp() - min(p.prepared))::float8
        FROM pg_prepared_xacts AS p
        WHERE p.database = current_database()
        """
    ).fetchone()
    count, gid, seconds = cast("tuple[int, str | None, float | None]", row)
    name = "postgresql.prepared"
    if not count or seconds is None:
        return [finding.ok(name, "There is no prepared transaction.")]
    message = f"{count} prepared transactions are open, the oldest for {seconds:.0f} s."
    remedy = f"They hold back the change feed: COMMIT or ROLLBACK PREPARED each of pg_prepared_xacts (first {gid})."
    return [finding.by_threshold(name, seconds, _WARN_SECONDS, _BROKEN_SECONDS, message, remedy)]


def feed_lag(connection: Connection) -> list[Finding]:
    lag = pruning.horizon_lag(connection)
    message = f"The oldest change that readers cannot see yet is {lag:.0f} s old."
    remedy = "End the transaction that holds it back (finding postgresql.transactions)."
    return [finding.by_threshold("feed.lag", lag, 5, 60, message, remedy)]


def replication_slots(connection: Connection) -> list[Finding]:
    """Check for replication slots without a reader, which keep the write-ahead log until the disk is full."""
    rows = connection.execute(
        """
        SELECT s.slot_name, s.active, s.wal_status,
            CASE WHEN pg_is_in_recovery() THEN 0
                ELSE coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), s.restart_lsn), 0) END::bigint
        FROM pg_replication_slots AS s
        ORDER BY 4 DESC
        """
    ).fetchall()
    name = "postgresql.slots"
    findings: list[Finding] = []
    for slot, active, status, behind in cast("list[tuple[str, bool, str | None, int]]", rows):
        activity = "active" if active else "inactive"
        state = f"The replication slot {slot} is {behind / _GIB:.1f} GiB behind and {activity}"
        remedy = f"Restart its reader, or SELECT pg_drop_replication_slot('{slot}'); and set max_slot_wal_keep_size."
        if status in {"lost", "unreserved"}:
            findings.append(finding.broken(name, f"{state}, and its log is {status}.", remedy))
        elif not active:
            findings.append(finding.warning(name, f"{state}: the write-ahead log grows.", remedy))
        else:
            findings.append(finding.by_threshold(name, behind / _GIB, 1, 16, f"{state}.", remedy))
    return findings or [finding.ok(name, "There is no replication slot.")]


CHECKS = (oldest_transaction, prepared_transactions, feed_lag, replication_slots)
