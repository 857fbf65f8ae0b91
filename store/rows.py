"""Rows on their way into a statement: one JSON document as one parameter.

At the sizes that a batch has, `jsonb_to_recordset` over one parameter takes half the time of arrays, whose elements
psycopg adapts one by one.
"""

import json
from collections.abc import Iterable, Mapping
from typing import TypeAlias

Row: TypeAlias = Mapping[str, object]


def document(rows: Iterable[Row]) -> str:
    """The rows as a JSON array; bytes travel as hexadecimal digits, which the statement decodes."""
    return json.dumps(list(rows), ensure_ascii=False, separators=(",", ":"), default=_hex)


def _hex(value: object) -> str:
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(f"{type(value).__name__} does not go into a row")
