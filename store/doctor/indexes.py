"""Checks for missing, invalid and unused indexes, and for dead rows."""

import re
from collections.abc import Iterable
from typing import cast

from store.doctor import finding
from store.doctor.finding import Finding
from store.postgres import migrator
from store.postgres.connections import Connection

_DDL_PATTERN = re.compile(
    r"CREATE\s+(?:UNIQUE\s+)?INDEX\s+(?:CONCURRENTLY\s+)?(?:IF\s+NOT\s+EXISTS\s+)?(?P<created>\w+)\s+ON\s+(?:ONLY\s+)?(?P<indexed>\w+)"
    r"|DROP\s+INDEX\s+(?:CONCURRENTLY\s+)?(?:IF\s+EXISTS\s+)?(?P<dropped>\w+(?:\s*,\s*\w+)*)"
    r"|ALTER\s+INDEX\s+(?:IF\s+EXISTS\s+)?(?P<old>\w+)\s+RENAME\s+TO\s+(?P<new>\w+)"
    r"|DROP\s+TABLE\s+(?:IF\s+EXISTS\s+)?(?P<dropped_tables>\w+(?:\s*,\s*\w+)*)"
    r"|ALTER\s+TABLE\s+(?:IF\s+EXISTS\s+)?(?P<table>\w+)\s+RENAME\s+TO\s+(?P<name>\w+)",
    re.IGNORECASE,
)
_UNUSED_DAYS = 7


def expected_indexes(migrations: Iterable[str]) -> dict[str, str]:
    """Return the indexes that exist after these migrations (SQL texts in order), with their tables."""
    tables: dict[str, str] = {}
    for text in migrations:
        for statement in _DDL_PATTERN.finditer(re.sub(r"--[^\n]*", "", text)):
            part = statement.groupdict()
            if part["created"]:
                tables[part["created"]] = part["indexed"]
            elif part["dropped"]:
                for name in re.split(r"\s*,\s*", part["dropped"]):
                    tables.pop(name, None)
            elif part["old"]:
                tables[part["new"]] = tables.pop(part["old"], "")
            elif part["dropped_tables"]:
                dropped = re.split(r"\s*,\s*", part["dropped_tables"])
                tables = {name: table for name, table in tables.items() if table not in dropped}
            else:
                tables = {name: part["name"] if table == part["table"] else table for name, table in tables.items()}
    return tables


def missing(connection: Connection) -> list[Finding]:
    """Check for missing indexes of migrations that are applied. A missing migration is another finding."""
    applied = migrator.applied(connection)
    paths = [migrator.MIGRATIONS_FOLDER / name for name in migrator.available() if name in applied]
    expected = expected_indexes(path.read_text(encoding="utf-8") for path in paths)
    rows = connection.execute(
        "SELECT w.name FROM unnest(%s::text[]) AS w (name) WHERE to_regclass(quote_ident(w.name)) IS NULL ORDER BY 1",
        [sorted(expected)],
    ).fetchall()
    if absent := [str(name) for (name,) in rows]:
        remedy = f"Create it with CONCURRENTLY; its definition: grep -n {absent[0]} store/migrations/*.sql"
        message = f"Indexes of the migrations are missing: {', '.join(absent)}. Queries get slower with every message."
        return [finding.broken("postgresql.indexes.missing", message, remedy)]
    return [finding.ok("postgresql.indexes.missing", f"All {len(expected)} indexes of the migrations exist.")]


def invalid(connection: Connection) -> list[Finding]:
    """Check for indexes of an interrupted CREATE INDEX CONCURRENTLY.

    Every write updates them, but no query uses them.
    """
    rows = connection.execute(
        """
        SELECT c.relname, EXISTS (SELECT FROM pg_stat_progress_create_index AS p WHERE p.index_relid = i.indexrelid)
        FROM pg_index AS i
        JOIN pg_class AS c ON c.oid = i.indexrelid
        WHERE (NOT i.indisvalid OR NOT i.indisready) AND c.relkind = 'i'
            AND c.relnamespace <> 'pg_toast'::regnamespace
        ORDER BY c.relname
        """
    ).fetchall()
    name = "postgresql.indexes.invalid"
    findings: list[Finding] = []
    for index, building in cast("list[tuple[str, bool]]", rows):
        if building:
            message = f"The index {index} is being built."
            findings.append(finding.warning(name, message, "Wait: SELECT * FROM pg_stat_progress_create_index;"))
        else:
            message = f"The index {index} is invalid: its creation was interrupted. Writes update it, no query uses it."
            remedy = (
                f"REINDEX INDEX CONCURRENTLY {index}; or DROP INDEX CONCURRENTLY {index}; if no migration created it"
            )
            findings.append(finding.broken(name, message, remedy))
    return findings or [finding.ok(name, "Every index is valid.")]


def unused(connection: Connection) -> list[Finding]:
    rows = connection.execute(
        """
        SELECT u.indexrelname, pg_relation_size(u.indexrelid)
        FROM pg_stat_user_indexes AS u
        JOIN pg_index AS i USING (indexrelid)
        JOIN pg_stat_database AS d ON d.datname = current_database()
        WHERE u.idx_scan = 0 AND NOT i.indisunique AND pg_relation_size(u.indexrelid) > pg_size_bytes('100 MB')
            AND coalesce(d.stats_reset, pg_postmaster_start_time()) < now() - make_interval(days => %(days)s)
        ORDER BY 2 DESC
        """,
        {"days": _UNUSED_DAYS},
    ).fetchall()
    name = "postgresql.indexes.unused"
    if rows:
        largest, size = cast("tuple[str, int]", rows[0])
        message = f"{len(rows)} large indexes were not used for {_UNUSED_DAYS} days; {largest} has {size >> 20} MiB."
        remedy = "If no replica uses it either: DROP INDEX CONCURRENTLY, and report it, because a migration created it."
        return [finding.warning(name, message, remedy)]
    return [finding.ok(name, "No large index is unused.")]


def dead_rows(connection: Connection) -> list[Finding]:
    rows = connection.execute(
        """
        SELECT t.relname, t.n_dead_tup, t.n_live_tup
        FROM pg_stat_user_tables AS t
        WHERE t.n_dead_tup > 100000 AND t.n_dead_tup > t.n_live_tup / 2
        ORDER BY t.n_dead_tup DESC
        """
    ).fetchall()
    name = "postgresql.bloat"
    if rows:
        table, dead, live = cast("tuple[str, int, int]", rows[0])
        message = f"{table} has {dead:,} dead and {live:,} live rows."
        remedy = f"VACUUM (ANALYZE) {table}; and find out what holds autovacuum back (finding postgresql.transactions)."
        return [finding.warning(name, message, remedy)]
    return [finding.ok(name, "Vacuum keeps up with dead rows.")]


CHECKS = (missing, invalid, unused, dead_rows)
