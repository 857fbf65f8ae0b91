"""Restores: a backup becomes a database that workers and readers can go on with, whatever server it is on."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from store.backup import adopt, archive
from store.backup.archive import Archive
from store.backup.dump import Tell, megabytes
from store.erasure import requests
from store.ledger import ledger
from store.ledger.ledger import Ledger
from store.postgres import client_programs, connections, errors, migrator
from store.postgres.client_programs import ProgramError
from store.postgres.connections import Connection

_BOUNDS = {"statement_timeout": "0", "idle_in_transaction_session_timeout": "0", "lock_timeout": "30s"}


class NotEmptyError(Exception):
    """Restoring would replace something, and nobody said that it may."""


@dataclass(frozen=True, slots=True)
class Restored:
    migrated: tuple[str, ...]
    """What was applied after it, as the backup is of an older version."""
    forgotten: int
    """How many hashes of addresses were forgotten again."""
    holds: Ledger


def restore(database_url: str, path: Path, environ: Mapping[str, str], tell: Tell, *, replace: bool) -> Restored:
    """Restore a backup into an empty database, or with `replace` into any, whose tables are dropped.

    The file is read to its end before anything is changed. Processes that are connected meanwhile lose nothing: they
    fail and try again until the database lacks no migration, which is the last thing that it gets.

    Raises NotEmptyError, ProgramError, UnknownMigrationError,
    MissingKeyError and TransientError; after any of them the same call can be made again,
    with `replace` if need be.
    """
    with connections.open(database_url, "restore", bounds=_BOUNDS, alone=True) as connection:
        migrator.alone(connection)
        major = connection.info.server_version // 10000
        program = client_programs.find("pg_restore", major)
        server = client_programs.server(database_url, "restore", environ)
        about = connection.info
        where = f"{about.dbname} at {about.host}:{about.port}"
        tell(f"reading {path}, for database {where}")
        found = archive.look(path, program, server.environment)
        fits(found, major)
        if there := _tables(connection):
            if not replace:
                raise NotEmptyError(
                    f"Database {where} has {there} tables and {_kept(connection):,} events in it already"
                )
            _drop(connection)
        tell("restoring")
        with tempfile.NamedTemporaryFile("w", prefix="restore-", suffix=".list") as contents:
            contents.write(found.contents)
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
                tick=lambda: tell(f"{megabytes(_size(connection))} in the database"),
            )
        return _finish(connection, found, environ, tell)


def _finish(connection: Connection, found: Archive, environ: Mapping[str, str], tell: Tell) -> Restored:
    # One name is held back until everything is done: as long as it is missing, no process is ready.
    withheld, *others = found.migrations
    adopt.settle(connection, others)
    migrated = migrator.forward(connection, withheld=[withheld])
    adopt.forget_timeline(connection)
    tell("forgetting again who was forgotten")
    forgotten = requests.reapply(connection, environ)
    tell("looking at what is there")
    with errors.translated():
        connection.execute("ANALYZE")
    adopt.note(connection, [withheld])
    return Restored(tuple(migrated), forgotten, ledger.read(connection))


def fits(found: Archive, major: int) -> None:
    """Raise where this code or a server of this major version could not go on with the backup."""
    if not found.migrations:
        raise ProgramError(f"{found.path} says of no migration that it was applied: it cannot be brought up to date.")
    migrator.refuse_unknown(found.migrations, migrator.names())
    if found.server > major:
        raise ProgramError(
            f"{found.path} was made from PostgreSQL {found.server}, and the server is {major}: it needs"
            f" {found.server} or newer."
        )


def _size(connection: Connection) -> int:
    with errors.translated():
        row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    return cast("int", row[0]) if row else 0


def _tables(connection: Connection) -> int:
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


def _kept(connection: Connection) -> int:
    with errors.translated():
        if connection.execute("SELECT to_regclass('public.batches')").fetchone() == (None,):
            return 0
        row = connection.execute("SELECT coalesce(sum(size), 0)::bigint FROM batches").fetchone()
    return cast("int", row[0]) if row else 0


def _drop(connection: Connection) -> None:
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
