"""Restores: a backup becomes a database that workers and readers can go on with, whatever server it is on."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

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


class DatabaseNotEmptyError(Exception):
    """Restoring would replace something, and nobody said that it may."""


@dataclass(frozen=True, slots=True)
class RestoreResult:
    applied_migrations: tuple[str, ...]
    """What was applied after it, as the backup is of an older version."""
    reapplied_suppressions: int
    """How many hashes of addresses were forgotten again."""
    totals: Ledger


def restore(
    database_url: str, path: Path, environ: Mapping[str, str], on_progress: ProgressCallback, *, replace: bool
) -> RestoreResult:
    """Restore a backup into an empty database, or with `replace` into any, whose tables are dropped.

    The file is read to its end before anything is changed. Processes that are connected meanwhile lose nothing: they
    fail and try again until the database lacks no migration, which is the last thing that it gets.

    Raises NotEmptyError, ProgramError, UnknownMigrationError,
    MissingKeyError and TransientError; after any of them the same call can be made again,
    with `replace` if need be.
    """
    with connections.open(database_url, "restore", overrides=_SESSION_SETTINGS, dedicated=True) as connection:
        migrator.acquire_lock(connection)
        major = connection.info.server_version // 10000
        program = client_programs.find("pg_restore", major)
        server = client_programs.connection_target(database_url, "restore", environ)
        about = connection.info
        where = f"{about.dbname} at {about.host}:{about.port}"
        on_progress(f"reading {path}, for database {where}")
        found = archive.inspect(path, program, server.environment)
        require_compatible(found, major)
        if there := _count_tables(connection):
            if not replace:
                raise DatabaseNotEmptyError(
                    f"Database {where} has {there} tables and {_count_events(connection):,} events in it already"
                )
            _drop_schema_objects(connection)
        on_progress("restoring")
        with tempfile.NamedTemporaryFile("w", prefix="restore-", suffix=".list") as contents:
            contents.write(found.restore_list)
            contents.flush()
            client_programs.run(
                program,
                [
                    "--single-transaction",
                    "--exit-on-error",
                    "--no-owner",
                    "--no-privileges",
                    "--no-comments",
                    "--no-password",
                    f"--use-list={contents.name}",
                    f"--dbname={server.dbname}",
                    str(path),
                ],
                server.environment,
                on_progress=lambda: on_progress(f"{format_megabytes(_database_size(connection))} in the database"),
            )
        return _adopt(connection, found, environ, on_progress)


def _adopt(
    connection: Connection, backup: BackupArchive, environ: Mapping[str, str], on_progress: ProgressCallback
) -> RestoreResult:
    # One name is held back until everything is done: as long as it is missing, no process is ready.
    withheld, *others = backup.migrations
    adopt.reset_server_state(connection, others)
    migrated = migrator.apply_pending(connection, unrecorded=[withheld])
    adopt.reset_timeline(connection)
    on_progress("forgetting again who was forgotten")
    forgotten = requests.reapply(connection, environ)
    on_progress("looking at what is there")
    with errors.translated():
        connection.execute("ANALYZE")
    adopt.record_migrations(connection, [withheld])
    return RestoreResult(tuple(migrated), forgotten, ledger.read(connection))


def require_compatible(backup: BackupArchive, server_major: int) -> None:
    """Raise where this code or a server of this major version could not go on with the backup."""
    if not backup.migrations:
        raise ProgramError(f"{backup.path} says of no migration that it was applied: it cannot be brought up to date.")
    migrator.reject_unknown(backup.migrations, migrator.available())
    if backup.server_major > server_major:
        raise ProgramError(
            f"{backup.path} was made from PostgreSQL {backup.server_major}, and the server is {server_major}: it needs"
            f" {backup.server_major} or newer."
        )


def _database_size(connection: Connection) -> int:
    with errors.translated():
        row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    return cast("int", row[0]) if row else 0


def _count_tables(connection: Connection) -> int:
    """How many tables and views are there; those of extensions do not count."""
    with errors.translated():
        row = connection.execute(
            """
            SELECT count(*)
            FROM pg_class AS c
            WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
                AND NOT EXISTS (
                    SELECT FROM pg_depend AS d
                    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
                )
            """
        ).fetchone()
    return cast("int", row[0]) if row else 0


def _count_events(connection: Connection) -> int:
    with errors.translated():
        if connection.execute("SELECT to_regclass('public.batches')").fetchone() == (None,):
            return 0
        row = connection.execute("SELECT coalesce(sum(size), 0)::bigint FROM batches").fetchone()
    return cast("int", row[0]) if row else 0


def _drop_schema_objects(connection: Connection) -> None:
    """Drop what is in the schema and what depends on it, but for what belongs to extensions."""
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
                        -- Sequences of columns go with them, and tables of extensions with those.
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
