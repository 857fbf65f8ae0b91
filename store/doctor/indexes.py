"""Indexes: those that the migrations made must be there and valid; those that nobody uses cost every write."""

import re
from collections.abc import Iterable
from typing import cast

from store.doctor import finding
from store.doctor.finding import Finding
from store.postgres import migrator
from store.postgres.connections import Connection

_DDL_PATTERN = re.compile(
    r"CREATE\s+(?:UNIQUE\s+)?INDEX\s+(?:CONCURRENTLY\s+)?(?:IF\s+NOT\s+EXISTS\s+)?(?P<made>\w+)\s+ON\s+(?:ONLY\s+)?(?P<on>\w+)"
    r"|DROP\s+INDEX\s+(?:CONCURRENTLY\s+)?(?:IF\s+EXISTS\s+)?(?P<dropped>\w+(?:\s*,\s*\w+)*)"
    r"|ALTER\s+INDEX\s+(?:IF\s+EXISTS\s+)?(?P<old>\w+)\s+RENAME\s+TO\s+(?P<new>\w+)"
    r"|DROP\s+TABLE\s+(?:IF\s+EXISTS\s+)?(?P<gone>\w+(?:\s*,\s*\w+)*)"
    r"|ALTER\s+TABLE\s+(?:IF\s+EXISTS\s+)?(?P<table>\w+)\s+RENAME\s+TO\s+(?P<name>\w+)",
    re.IGNORECASE,
)
_UNUSED_BYTES = 100 << 20
_UNUSED_DAYS = 7
_DEAD_ROWS = 100_000


def expected_indexes(migrations: Iterable[str]) -> dict[str, str]:
    """The indexes that these migrations, as text and in order, leave behind: name to table."""
    there: dict[str, str] = {}
    for text in migrations:
        for word in _DDL_PATTERN.finditer(re.sub(r"--[^\n]*", "", text)):
            part = word.groupdict()
            if part["made"]:
                there[part["made"]] = part["on"]
            elif part["dropped"]:
                for name in re.split(r"\s*,\s*", part["dropped"]):
                    there.pop(name, None)
            elif part["old"]:
                there[part["new"]] = there.pop(part["old"], "")
            elif part["gone"]:
                gone = re.split(r"\s*,\s*", part["gone"])
                there = {name: table for name, table in there.items() if table not in gone}
            else:
                there = {name: part["name"] if table == part["table"] else table for name, table in there.items()}
    return there


def missing(connection: Connection) -> list[Finding]:
    """Of the migrations that the database has; what others are missing is another finding."""
    done = migrator.applied(connection)
    texts = [
        (migrator.MIGRATIONS_FOLDER / name).read_text(encoding="utf-8") for name in migrator.available() if name in done
    ]
    wanted = expected_indexes(texts)
    rows = connection.execute(
        "SELECT w.name FROM unnest(%s::text[]) AS w (name) WHERE to_regclass(quote_ident(w.name)) IS NULL ORDER BY 1",
        [sorted(wanted)],
    ).fetchall()
    if gone := [str(name) for (name,) in rows]:
        cure = f"Create it anew, with CONCURRENTLY, as store/migrations says: grep -n {gone[0]} store/migrations/*.sql"
        sentence = f"Indexes that a migration made are gone: {', '.join(gone)}. Reading gets slower with every message."
        return [finding.broken("postgresql.indexes.missing", sentence, cure)]
    return [finding.ok("postgresql.indexes.missing", f"All {len(wanted)} indexes of the migrations are there.")]


def invalid(connection: Connection) -> list[Finding]:
    """What a CREATE INDEX CONCURRENTLY leaves behind that was cut short: written to, and never read."""
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
    found: list[Finding] = []
    for index, building in cast("list[tuple[str, bool]]", rows):
        if building:
            sentence = f"The index {index} is being built."
            found.append(finding.warning(name, sentence, "Wait: SELECT * FROM pg_stat_progress_create_index;"))
        else:
            sentence = (
                f"The index {index} is invalid: its making was cut short. Every write pays for it, no read uses it."
            )
            cure = (
                f"REINDEX INDEX CONCURRENTLY {index}; or DROP INDEX CONCURRENTLY {index}; where no migration made it."
            )
            found.append(finding.broken(name, sentence, cure))
    return found or [finding.ok(name, "Every index is valid.")]


def unused(connection: Connection) -> list[Finding]:
    rows = connection.execute(
        """
        SELECT u.indexrelname, pg_relation_size(u.indexrelid)
        FROM pg_stat_user_indexes AS u
        JOIN pg_index AS i USING (indexrelid)
        JOIN pg_stat_database AS d ON d.datname = current_database()
        WHERE u.idx_scan = 0 AND NOT i.indisunique AND pg_relation_size(u.indexrelid) > %(bytes)s
            AND coalesce(d.stats_reset, pg_postmaster_start_time()) < now() - make_interval(days => %(days)s)
        ORDER BY 2 DESC
        """,
        {"bytes": _UNUSED_BYTES, "days": _UNUSED_DAYS},
    ).fetchall()
    name = "postgresql.indexes.unused"
    if rows:
        largest, size = cast("tuple[str, int]", rows[0])
        sentence = f"{len(rows)} large indexes were not read for {_UNUSED_DAYS} days: {largest} has {size >> 20} MiB."
        cure = "If replicas do not read it either: DROP INDEX CONCURRENTLY, and tell us, as a migration made it."
        return [finding.warning(name, sentence, cure)]
    return [finding.ok(name, "No large index is known to be unused.")]


def dead_rows(connection: Connection) -> list[Finding]:
    """A hint: tables with many rows that are dead and not vacuumed away."""
    rows = connection.execute(
        """
        SELECT t.relname, t.n_dead_tup, t.n_live_tup
        FROM pg_stat_user_tables AS t
        WHERE t.n_dead_tup > %(rows)s AND t.n_dead_tup > t.n_live_tup / 2
        ORDER BY t.n_dead_tup DESC
        """,
        {"rows": _DEAD_ROWS},
    ).fetchall()
    name = "postgresql.bloat"
    if rows:
        table, dead, live = cast("tuple[str, int, int]", rows[0])
        sentence = f"{table} has {dead:,} dead rows beside {live:,} living ones."
        cure = f"VACUUM (ANALYZE) {table}; and see what keeps autovacuum away (finding postgresql.transactions)."
        return [finding.warning(name, sentence, cure)]
    return [finding.ok(name, "No table has more dead rows than vacuum keeps up with.")]


CHECKS = (missing, invalid, unused, dead_rows)
