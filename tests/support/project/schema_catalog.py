"""Compares PostgreSQL's catalogs before and after a migration, and finds incompatible changes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg

_TABLES = """
    SELECT c.oid, c.relname::text, c.relfilenode, c.relkind::text
    FROM pg_class AS c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v')
"""
_COLUMNS = """
    SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnotnull,
        a.atthasdef OR a.attidentity <> ''
    FROM pg_attribute AS a
    JOIN pg_class AS c ON c.oid = a.attrelid
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND a.attnum > 0
        AND NOT a.attisdropped
"""
_INDEXES = """
    SELECT i.indexrelid, i.indrelid, i.indexrelid::regclass::text, i.indrelid::regclass::text, i.indisunique,
        i.indkey::text
    FROM pg_index AS i
    JOIN pg_class AS c ON c.oid = i.indrelid AND c.relnamespace = 'public'::regnamespace
"""
_CONSTRAINTS = """
    SELECT oid, conrelid, conname::text, convalidated
    FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace AND contype IN ('c', 'f') AND conrelid <> 0
"""


@dataclass(frozen=True, slots=True)
class SchemaCatalog:
    tables: dict[int, tuple[str, int, str]]
    """By oid: name, file node, kind."""
    columns: dict[tuple[str, str], tuple[str, bool, bool]]
    """By table and name: type, whether it is NOT NULL, whether it has a default or is an identity."""
    indexes: dict[int, tuple[int, str, str, bool, str]]
    """By oid: oid of the table, name, name of the table, whether it is unique, key columns."""
    constraints: dict[int, tuple[int, str, bool]]
    """Check and foreign key constraints by oid: oid of the table, name, whether it is validated."""

    @classmethod
    def read(cls, url: str) -> "SchemaCatalog":
        with psycopg.connect(url) as connection:

            def rows(query: str) -> list[tuple[Any, ...]]:
                return connection.execute(query.encode()).fetchall()

            return cls(
                {oid: (name, file, kind) for oid, name, file, kind in rows(_TABLES)},
                {(table, name): (kind, strict, filled) for table, name, kind, strict, filled in rows(_COLUMNS)},
                {oid: (table, name, of, unique, key) for oid, table, name, of, unique, key in rows(_INDEXES)},
                {oid: (table, name, checked) for oid, table, name, checked in rows(_CONSTRAINTS)},
            )


def incompatibilities(before: SchemaCatalog, after: SchemaCatalog, *, outside_transaction: bool) -> Iterator[str]:
    """Yield why old processes would fail or wait. `outside_transaction`: the file ran outside a transaction."""
    yield from _table_incompatibilities(before, after)
    yield from _column_incompatibilities(before, after)
    yield from _index_incompatibilities(before, after, beside_writers=outside_transaction)
    for oid, (table, name, checked) in after.constraints.items():
        if oid not in before.constraints and table in before.tables and checked:
            yield f"reads a table through for {name} while writers wait"


def _table_names(schema: SchemaCatalog) -> set[str]:
    return {name for name, *_ in schema.tables.values()}


def _table_incompatibilities(before: SchemaCatalog, after: SchemaCatalog) -> Iterator[str]:
    for oid, (name, file, _) in before.tables.items():
        if oid in after.tables and after.tables[oid][1] != file:
            yield f"rewrites {name}"
    yield from (f"takes away {name}" for name in _table_names(before) - _table_names(after))


def _column_incompatibilities(before: SchemaCatalog, after: SchemaCatalog) -> Iterator[str]:
    for (table, column), (kind, strict, _) in before.columns.items():
        if table in _table_names(after):
            now = after.columns.get((table, column))
            if now is None or now[0] != kind:
                yield f"takes away or changes {table}.{column}"
            elif now[1] and not strict:
                yield f"reads through {table} for the nulls in {column}, which old writers may leave"
    for (table, column), (_, strict, filled) in after.columns.items():
        if table in _table_names(before) and (table, column) not in before.columns and strict and not filled:
            yield f"wants {table}.{column}, which old writers do not know"


def _index_incompatibilities(before: SchemaCatalog, after: SchemaCatalog, *, beside_writers: bool) -> Iterator[str]:
    for oid, (table, name, *_) in after.indexes.items():
        if oid not in before.indexes and table in before.tables and not beside_writers:
            yield f"builds {name} while writers wait"
    unique = {(of, key) for _, _, of, is_unique, key in after.indexes.values() if is_unique}
    for _, name, of, is_unique, key in before.indexes.values():
        if is_unique and of in _table_names(after) and (of, key) not in unique:
            yield f"takes away {name}, by which old writers find what is there"
