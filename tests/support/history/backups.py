"""Runs the store command on databases and reads their contents, for tests of backups."""

import os
from typing import Any

import psycopg

from tests.support.processes import preloaded_python

POSITIONS = {"feed_floor", "push_position", "search_index_position"}
EXCLUDED_TABLES = {"changes", "feed_epoch", "migrations", "stream_status"} | POSITIONS
"""The tables that must differ between a restored database and the one that was backed up."""


def run_store_command(*arguments: object, url: str, **environment: str) -> tuple[int, str]:
    """Return the exit code and the output of `python -m store …`."""
    environ = os.environ | {"DATABASE_URL": url} | environment
    done = preloaded_python.run("store", *map(str, arguments), environment=environ)
    return done.returncode, done.stdout + done.stderr


def fetch_rows(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(query.encode()).fetchall()


def table_names(url: str) -> list[str]:
    return [
        name
        for (name,) in fetch_rows(url, "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    ]


def table_contents(url: str) -> dict[str, list[Any]]:
    """Return every row of every table that a restore leaves unchanged."""
    found: dict[str, list[Any]] = {}
    for table in set(table_names(url)) - EXCLUDED_TABLES:
        rest = "to_jsonb(t) - '{created_xid,generation}'::text[]"
        found[table] = [row for (row,) in fetch_rows(url, f"SELECT {rest} FROM {table} AS t ORDER BY ({rest})::text")]
    return found


def schema_objects(url: str) -> list[tuple[Any, ...]]:
    """Return the columns, indexes, constraints and functions. Their order in the database does not matter."""
    return fetch_rows(
        url,
        """
        SELECT c.relname::text, 'column', a.attname::text, format_type(a.atttypid, a.atttypmod) || a.attnotnull
            || coalesce(pg_get_expr(d.adbin, d.adrelid), '')
        FROM pg_attribute AS a
        JOIN pg_class AS c ON c.oid = a.attrelid AND c.relnamespace = 'public'::regnamespace
        LEFT JOIN pg_attrdef AS d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
        WHERE a.attnum > 0 AND NOT a.attisdropped
        UNION ALL SELECT tablename::text, 'index', indexname::text, indexdef FROM pg_indexes WHERE schemaname = 'public'
        UNION ALL SELECT conrelid::regclass::text, 'constraint', conname::text, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace
        UNION ALL SELECT '', 'function', oid::regprocedure::text, md5(prosrc)
        FROM pg_proc WHERE pronamespace = 'public'::regnamespace
        ORDER BY 1, 2, 3, 4
        """,
    )
