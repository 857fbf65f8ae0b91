"""Restores a backup into a database on any server and prepares it for workers and readers."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString, cast

from store.backup import adopt, archive
from store.backup.archive import BackupArchive
from store.backup.dump import ProgressCallback, format_megabytes
from store.erasure import requests
from store.ledger import ledger
from store.ledger.ledger import Ledger
from store.postgres import client_programs, connections, errors, migrator
from store.postgres.client_programs import ProgramError
from store.postgres.connections import Connection

_SESSION_SETTINGS = {"statement_timeout": "0", "idle_in_transaction_session_timeout": "0", "lock_timeout": "30s"}
_DATABASE_SIZE = "SELECT pg_database_size(current_database())"
_OPTIONS = ["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges", "--no-comments"]


class DatabaseNotEmptyError(Exception):
    """The database contains tables, and `replace` was not given."""


@dataclass(frozen=True, slots=True)
class RestoreResult:
    applied_migrations: tuple[str, ...]
    """The migrations that were applied because the backup lacked them."""
    reapplied_suppressions: int
    """The number of suppressions that were applied again."""
    totals: Ledger


def restore(
    database_url: str, path: Path, environ: Mapping[str, str], on_progress: ProgressCallback, *, replace: bool
) -> RestoreResult:
    """Restore a backup into an empty database, or with `replace` into any database after dropping its tables.

    The whole file is read before anything changes. Connected processes lose nothing: they retry until all migrations
    are recorded, which is the last step.

    Raises DatabaseNotEmptyError, ProgramError, UnknownMigrationError, SuppressionKeyError and TransientError. The call
    may be repeated after any of them, with `replace` if tables exist by then.
    """
    with connections.open(database_url, "restore", overrides=_SESSION_SETTINGS, dedicated=True) as connection:
        migrator.acquire_lock(connection)
        major = connection.info.server_version // 10000
        program = client_programs.find("pg_restore", major)
        target = client_programs.connection_target(database_url, "restore", environ)
        info = connection.info
        database = f"{info.dbname} at {info.host}:{info.port}"
        on_progress(f"reading {path}, for database {database}")
        backup = archive.inspect(path, program, target.environment)
        require_compatible(backup, major)
        if table_count := _count_tables(connection):
            if not replace:
                events = f"{_count_events(connection):,} events"
                raise DatabaseNotEmptyError(f"Database {database} contains {table_count} tables and {events}")
            _drop_schema_objects(connection)
        on_progress("restoring")
        with tempfile.NamedTemporaryFile("w", prefix="restore-", suffix=".list") as contents:
            contents.write(backup.restore_list)
            contents.flush()
            client_programs.run(
                program,
                [*_OPTIONS, "--no-password", f"--use-list={contents.name}", f"--dbname={target.dbname}", str(path)],
                target.environment,
                on_progress=lambda: on_progress(
                    f"{format_megabytes(_read_number(connection, _DATABASE_SIZE))} in the database"
                ),
            )
        return _adopt(connection, backup, environ, on_progress)


def _adopt(
    connection: Connection, backup: BackupArchive, environ: Mapping[str, str], on_progress: ProgressCallback
) -> RestoreResult:
    # One migration is recorded last. While it is missing, no process is ready.
    withheld, *others = backup.migrations
    adopt.reset_server_state(connection, others)
    applied = migrator.apply_pending(connection, unrecorded=[withheld])
    with errors.translated():
        # The new epoch is valid on the timeline of this server. Older backups have no column for it before this point.
        connection.execute("UPDATE feed_epoch SET timeline = NULL")
        # Workers store again what is still in the stream.
        connection.execute("UPDATE database_identity SET generation = gen_random_uuid()")
    on_progress("erasing again")
    suppression_count = requests.reapply(connection, environ)
    on_progress("collecting statistics for the planner")
    with errors.translated():
        connection.execute("ANALYZE")
    adopt.record_migrations(connection, [withheld])
    return RestoreResult(tuple(applied), suppression_count, ledger.read(connection))


def require_compatible(backup: BackupArchive, server_major: int) -> None:
    """Raise an error if this version, or a server of this major version, cannot use the backup."""
    if not backup.migrations:
        raise ProgramError(f"{backup.path} contains no recorded migration and cannot be migrated. Use another backup.")
    migrator.reject_unknown(backup.migrations, migrator.available())
    if backup.server_major > server_major:
        raise ProgramError(
            f"{backup.path} was made from PostgreSQL {backup.server_major}, and the server is {server_major}."
            f" Restore it into PostgreSQL {backup.server_major} or newer."
        )


def _read_number(connection: Connection, query: LiteralString) -> int:
    with errors.translated():
        row = connection.execute(query).fetchone()
    return cast("int", row[0]) if row else 0


def _count_tables(connection: Connection) -> int:
    """Count tables and views except those of extensions."""
    return _read_number(
        connection,
        """
        SELECT count(*)
        FROM pg_class AS c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
            AND NOT EXISTS (
                SELECT FROM pg_depend AS d
                WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
            )
        """,
    )


def _count_events(connection: Connection) -> int:
    if not _read_number(connection, "SELECT count(to_regclass('public.batches'))"):
        return 0
    return _read_number(connection, "SELECT coalesce(sum(size), 0)::bigint FROM batches")


def _drop_schema_objects(connection: Connection) -> None:
    """Drop everything in the schema, with dependent objects, except objects of extensions."""
    with errors.translated(), connection.transaction():
        connection.execute(
            """
            DO $$
            DECLARE
                statement text;
            BEGIN
                FOREACH statement IN ARRAY ARRAY(
                    SELECT format('DROP %s IF EXISTS %s CASCADE', CASE c.relkind
                        WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
                        WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'c' THEN 'TYPE' ELSE 'TABLE' END,
                        format('%I.%I', n.nspname, c.relname))
                    FROM pg_class AS c
                    JOIN pg_namespace AS n ON n.oid = c.relnamespace
                    WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c')
                        -- Sequences of columns are dropped with the columns, and objects of extensions stay.
                        AND NOT EXISTS (
                            SELECT FROM pg_depend AS d
                            WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                                AND (d.deptype = 'e' OR d.deptype IN ('a', 'i') AND c.relkind = 'S')
                        )
                    UNION ALL
                    SELECT format('DROP ROUTINE IF EXISTS %s CASCADE', p.oid::regprocedure)
                    FROM pg_proc AS p
                    WHERE p.pronamespace = 'public'::regnamespace AND NOT EXISTS (
                            SELECT FROM pg_depend AS d
                            WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
                        )
                    UNION ALL
                    SELECT format('DROP TYPE IF EXISTS %s CASCADE', t.oid::regtype)
                    FROM pg_type AS t
                    WHERE t.typnamespace = 'public'::regnamespace AND t.typtype IN ('d', 'e', 'r') AND NOT EXISTS (
                            SELECT FROM pg_depend AS d
                            WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'
                        )
                ) LOOP
                    EXECUTE statement;
                END LOOP;
            END
            $$
            """
        )
