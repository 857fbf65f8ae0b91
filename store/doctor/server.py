"""PostgreSQL itself: its version, and the settings that a COMMIT relies on."""

import time
from datetime import datetime
from typing import cast

from store.doctor import clock, finding
from store.doctor.finding import Finding
from store.postgres import migrator
from store.postgres.connections import Connection

OLDEST_VERSION, NEWEST_TESTED_VERSION = 15, 18
_XID_LIMIT = 2**31
_VACUUM_REMEDY = "Look for what keeps vacuum from its work (finding postgresql.transactions), then run VACUUM (FREEZE)."


def version(connection: Connection) -> list[Finding]:
    name, number = "postgresql.version", connection.info.server_version // 10_000
    if number < OLDEST_VERSION:
        cure = (
            f"Upgrade to PostgreSQL {OLDEST_VERSION} or newer: dump, restore, and name the new server in DATABASE_URL."
        )
        return [finding.broken(name, f"PostgreSQL {number} is older than {OLDEST_VERSION}, which we need.", cure)]
    if number > NEWEST_TESTED_VERSION:
        cure = "Run the tests against it (./run test) before relying on it."
        return [
            finding.warning(
                name, f"PostgreSQL {number} is newer than any that was tried ({NEWEST_TESTED_VERSION}).", cure
            )
        ]
    return [finding.ok(name, f"PostgreSQL {number}.")]


def writable(connection: Connection) -> list[Finding]:
    name = "postgresql.writable"
    row = connection.execute("SELECT pg_is_in_recovery()").fetchone()
    if row == (True,):
        cure = "Name the primary in DATABASE_URL (several hosts and target_session_attrs=read-write follow a failover)."
        return [finding.broken(name, "DATABASE_URL names a standby, which takes no writes.", cure)]
    return [finding.ok(name, "It is a primary.")]


def durability_settings(connection: Connection) -> list[Finding]:
    """Settings without which a COMMIT, or the next year, is not safe."""
    rows = connection.execute(
        """
        SELECT s.name, s.setting
        FROM pg_settings AS s
        WHERE s.name = ANY(ARRAY['fsync', 'full_page_writes', 'synchronous_commit', 'autovacuum', 'track_counts',
            'server_encoding'])
        """
    ).fetchall()
    said = {str(name): str(setting) for name, setting in rows}
    safe = {
        "fsync": ("on",),
        "full_page_writes": ("on",),
        "synchronous_commit": ("on", "remote_apply", "remote_write", "local"),
    }
    found = [
        finding.broken(
            f"postgresql.{name}",
            f"{name} is {said[name]}: a power cut may lose or spoil what was committed, when Redis has let go of it.",
            f"ALTER SYSTEM SET {name} = 'on'; then SELECT pg_reload_conf(); (or look for a role or database setting).",
        )
        if said[name] not in good
        else finding.ok(f"postgresql.{name}", f"{name} is {said[name]}.")
        for name, good in safe.items()
    ]
    idle = [name for name in ("autovacuum", "track_counts") if said[name] != "on"]
    name = "postgresql.autovacuum"
    if idle:
        cure = f"ALTER SYSTEM SET {idle[0]} = 'on'; then SELECT pg_reload_conf();"
        found.append(finding.broken(name, f"{idle[0]} is off: tables only grow, and transaction ids run out.", cure))
    else:
        found.append(finding.ok(name, "Autovacuum is on."))
    name = "postgresql.encoding"
    if said["server_encoding"] != "UTF8":
        cure = "Create the database anew with ENCODING 'UTF8', migrate it, and restore the dump into it."
        found.append(finding.broken(name, f"The database's encoding is {said['server_encoding']}, not UTF8.", cure))
    else:
        found.append(finding.ok(name, "The database's encoding is UTF8."))
    return found


def clock_offset(connection: Connection) -> list[Finding]:
    before = time.time()
    row = connection.execute("SELECT clock_timestamp()").fetchone()
    after = time.time()
    assert row is not None
    offset = cast("datetime", row[0]).timestamp() - (before + after) / 2
    return [clock.check_offset("postgresql.clock", "PostgreSQL's", offset)]


def connections(connection: Connection) -> list[Finding]:
    row = connection.execute(
        """
        SELECT (SELECT count(*) FROM pg_stat_activity AS a WHERE a.backend_type = 'client backend'),
            current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint
        """
    ).fetchone()
    used, most = cast("tuple[int, int]", row)
    return [
        finding.by_threshold(
            "postgresql.connections",
            used / most,
            0.8,
            0.95,
            f"{used} of {most} connections are in use.",
            "Lower API_CONNECTIONS, put PgBouncer in between, or raise max_connections.",
        )
    ]


def wraparound(connection: Connection) -> list[Finding]:
    """How much of the transaction ids is used up since the last freeze, in this database."""
    row = connection.execute(
        """
        SELECT greatest(age(d.datfrozenxid), mxid_age(d.datminmxid))
        FROM pg_database AS d
        WHERE d.datname = current_database()
        """
    ).fetchone()
    (age,) = cast("tuple[int]", row)
    sentence = f"{age / _XID_LIMIT:.0%} of the transaction ids are used up since the last freeze."
    return [
        finding.by_threshold("postgresql.wraparound", age, 0.2 * _XID_LIMIT, 0.5 * _XID_LIMIT, sentence, _VACUUM_REMEDY)
    ]


def migrations(connection: Connection) -> list[Finding]:
    done, known = migrator.applied(connection), migrator.available()
    name = "postgresql.migrations"
    if missing := [each for each in known if each not in done]:
        cure = "Run `python -m store migrate`; no process is ready before."
        return [finding.broken(name, f"The database lacks {', '.join(missing)}.", cure)]
    if unknown := sorted(done - set(known)):
        cure = "Run the version that brought them, or a newer one; this one does not know what they changed."
        return [finding.warning(name, f"The database has migrations unknown here: {', '.join(unknown)}.", cure)]
    return [finding.ok(name, f"All {len(known)} migrations are in the database.")]


CHECKS = (version, writable, durability_settings, clock_offset, connections, wraparound, migrations)
