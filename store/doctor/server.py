"""Checks PostgreSQL: version, durability settings, clock, connections, transaction ids and migrations."""

import time
from typing import cast

from store.doctor import clock, finding
from store.doctor.finding import Finding
from store.postgres import connections as postgres
from store.postgres import migrator
from store.postgres.connections import Connection

OLDEST_VERSION, NEWEST_TESTED_VERSION = 15, 18


def version(connection: Connection) -> list[Finding]:
    name, number = "postgresql.version", connection.info.server_version // 10_000
    if number < OLDEST_VERSION:
        message = f"PostgreSQL {number} is older than {OLDEST_VERSION}, the oldest supported version."
        remedy = "Upgrade to a supported version: dump, restore, and set DATABASE_URL to the new server."
        return [finding.broken(name, message, remedy)]
    if number > NEWEST_TESTED_VERSION:
        message = f"PostgreSQL {number} is newer than the newest tested version, {NEWEST_TESTED_VERSION}."
        return [finding.warning(name, message, "Run the tests against it (./run test) before relying on it.")]
    return [finding.ok(name, f"PostgreSQL {number}.")]


def writable(connection: Connection) -> list[Finding]:
    name = "postgresql.writable"
    row = connection.execute("SELECT pg_is_in_recovery()").fetchone()
    if row == (True,):
        remedy = "Set DATABASE_URL to the primary; several hosts and target_session_attrs=read-write follow a failover."
        return [finding.broken(name, "DATABASE_URL names a standby, which is read-only.", remedy)]
    return [finding.ok(name, "The server is a primary.")]


def durability_settings(connection: Connection) -> list[Finding]:
    """Check the settings that durability and vacuum depend on."""
    rows = connection.execute(
        """
        SELECT s.name, s.setting FROM pg_settings AS s
        WHERE s.name = ANY(ARRAY['fsync', 'full_page_writes', 'synchronous_commit', 'autovacuum', 'track_counts',
            'server_encoding'])
        """
    ).fetchall()
    settings = {str(name): str(setting) for name, setting in rows}
    commit_levels = {"on", "remote_apply", "remote_write", "local"}
    safe = {"fsync": {"on"}, "full_page_writes": {"on"}, "synchronous_commit": commit_levels}
    findings = [
        finding.broken(
            f"postgresql.{name}",
            f"{name} is {settings[name]}: a power failure may lose committed data that Redis has already deleted.",
            f"ALTER SYSTEM SET {name} = 'on'; then SELECT pg_reload_conf(); (or change the role's or database's).",
        )
        if settings[name] not in safe_values
        else finding.ok(f"postgresql.{name}", f"{name} is {settings[name]}.")
        for name, safe_values in safe.items()
    ]
    disabled = [name for name in ("autovacuum", "track_counts") if settings[name] != "on"]
    name = "postgresql.autovacuum"
    if disabled:
        remedy = f"ALTER SYSTEM SET {disabled[0]} = 'on'; then SELECT pg_reload_conf();"
        message = f"{disabled[0]} is off: dead rows are not removed, and transaction ids run out."
        findings.append(finding.broken(name, message, remedy))
    else:
        findings.append(finding.ok(name, "Autovacuum is on."))
    name = "postgresql.encoding"
    if (encoding := settings["server_encoding"]) != "UTF8":
        remedy = "Create another database with ENCODING 'UTF8', and restore a backup into it."
        findings.append(finding.broken(name, f"The database's encoding is {encoding}, not UTF8.", remedy))
    else:
        findings.append(finding.ok(name, "The database's encoding is UTF8."))
    return findings


def clock_offset(connection: Connection) -> list[Finding]:
    before = time.time()
    server_time = postgres.server_time(connection).timestamp()
    offset = server_time - (before + time.time()) / 2
    return [clock.check_offset("postgresql.clock", "PostgreSQL's", offset)]


def connections(connection: Connection) -> list[Finding]:
    row = connection.execute(
        """
        SELECT (SELECT count(*) FROM pg_stat_activity AS a WHERE a.backend_type = 'client backend'),
            current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint
        """
    ).fetchone()
    used, limit = cast("tuple[int, int]", row)
    message = f"{used} of {limit} connections are in use."
    remedy = "Lower API_CONNECTIONS, use PgBouncer, or raise max_connections."
    return [finding.by_threshold("postgresql.connections", used / limit, 0.8, 0.95, message, remedy)]


def wraparound(connection: Connection) -> list[Finding]:
    """Check the share of transaction ids that this database has used since its last freeze."""
    row = connection.execute(
        """
        SELECT greatest(age(d.datfrozenxid), mxid_age(d.datminmxid))
        FROM pg_database AS d
        WHERE d.datname = current_database()
        """
    ).fetchone()
    used = cast("tuple[int]", row)[0] / 2**31
    message = f"{used:.0%} of the transaction ids are used since the last freeze."
    remedy = "Find out what holds vacuum back (finding postgresql.transactions), then run VACUUM (FREEZE)."
    return [finding.by_threshold("postgresql.wraparound", used, 0.2, 0.5, message, remedy)]


def migrations(connection: Connection) -> list[Finding]:
    applied, known = migrator.applied(connection), migrator.available()
    name = "postgresql.migrations"
    if missing := [each for each in known if each not in applied]:
        remedy = "Run `python -m store migrate`. No process is ready until then."
        return [finding.broken(name, f"The database lacks {', '.join(missing)}.", remedy)]
    if unknown := sorted(applied - set(known)):
        remedy = "Run the version that they belong to, or a newer one."
        return [finding.warning(name, f"The database has migrations unknown here: {', '.join(unknown)}.", remedy)]
    return [finding.ok(name, f"All {len(known)} migrations are applied.")]


CHECKS = (version, writable, durability_settings, clock_offset, connections, wraparound, migrations)
