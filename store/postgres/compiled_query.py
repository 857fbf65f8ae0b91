"""Executes long queries, whose named parameters are found once. psycopg parses a query above 4 KiB every time."""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import LiteralString

import psycopg

from store.postgres.connections import Connection
from store.postgres.pooler import PoolerSafeConnection

_PLACEHOLDER = re.compile(r"%(?:\((\w+)\)s|%)")
_MAX_COMPILED = 256


@dataclass(frozen=True, slots=True)
class CompiledQuery:
    _sql: bytes
    """With PostgreSQL's own placeholders: `$1` and so on."""
    _names: tuple[str, ...]
    """The parameters in their order."""

    def fetch_all(
        self, connection: Connection, values: Mapping[str, object], *, prepare: bool | None = None
    ) -> list[tuple[object, ...]]:
        """Return all rows. `values` may contain more than the parameters of the query."""
        ordered = [values[name] for name in self._names]
        if isinstance(connection, PoolerSafeConnection):
            with connection.settings_applied():
                return psycopg.RawCursor(connection).execute(self._sql, ordered, prepare=prepare).fetchall()
        return psycopg.RawCursor(connection).execute(self._sql, ordered, prepare=prepare).fetchall()


@functools.lru_cache(_MAX_COMPILED)
def compile_query(query: LiteralString) -> CompiledQuery:
    """Compile a query with psycopg's placeholders: `%(name)s`, and `%%` for a percent sign."""
    numbers: dict[str, int] = {}

    def placeholder(found: re.Match[str]) -> str:
        return "%" if found[1] is None else f"${numbers.setdefault(found[1], len(numbers) + 1)}"

    sql = _PLACEHOLDER.sub(placeholder, query)
    return CompiledQuery(sql.encode(), tuple(numbers))
