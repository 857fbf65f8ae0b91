"""Renews the planner statistics of PostgreSQL, which contain frequent values, even of deleted rows."""

import logging
import re
from typing import cast

from psycopg import sql

from store.erasure import mentions
from store.erasure.subjects import ErasureSubject
from store.postgres import errors
from store.postgres.connections import Connection

log = logging.getLogger(__name__)

_CONTENT_TABLES = (
    "audit_log",
    "changes",
    "chat_labels",
    "chat_names",
    "chat_notes",
    "chats",
    "lid_aliases",
    "message_updates",
    "search_index",
    "sends",
    "whatsapp_messages",
)
"""Tables that are always renewed, because they may contain what the person wrote. Others are renewed if their
statistics contain an address.
"""
_SAMPLES = (None, 10)
"""The `default_statistics_target` of the first and the second attempt; None for the configured one."""
_TIMEOUT = "8s"
_CLEARING_VERSION = 180_000
_CLEAR = """
    SELECT pg_clear_attribute_stats(s.schemaname::text, s.tablename::text, s.attname::text, s.inherited)
    FROM pg_class AS c
    JOIN pg_stats AS s ON (s.schemaname, s.tablename) = (c.relnamespace::regnamespace::text, c.relname)
    WHERE c.oid::bigint = %s
"""
_HEX = re.compile(r"\\x((?:[0-9a-f]{2})+)")
"""A value of the type bytea as text."""


def renew_next(connection: Connection, subject: ErasureSubject, after: int) -> int | None:
    """Renew the statistics of the next table, in the order of oids. Return its oid, or None if no table is left."""
    pattern = subject.mention_pattern()
    cursor = connection.execute(
        """
        SELECT c.oid::bigint, c.oid::regclass::text, c.relname, coalesce(string_agg(
                concat_ws(' ', s.most_common_vals, s.histogram_bounds, s.most_common_elems), ' '
            ), '')
        FROM pg_class AS c
        JOIN pg_stats AS s ON (s.schemaname, s.tablename) = (c.relnamespace::regnamespace::text, c.relname)
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND c.oid::bigint > %s
        GROUP BY c.oid, c.relname
        ORDER BY c.oid
        """,
        [after],
    )
    # ANALYZE keeps the statistics of a table that has become empty. PostgreSQL 18 can delete them.
    can_clear = connection.info.server_version >= _CLEARING_VERSION
    for oid, name, table, quoted in cast("list[tuple[int, str, str, str]]", cursor.fetchall()):
        if table in _CONTENT_TABLES or mentions.occurs(pattern, _decode(quoted)):
            _renew(connection, oid, name, can_clear=can_clear)
            return oid
    return None


def _decode(quoted: str) -> bytes:
    """Return the quoted values, with values of the type bytea decoded."""
    bodies = b" ".join(bytes.fromhex(digits) for digits in _HEX.findall(quoted))
    return quoted.encode() + b" " + bodies


def _renew(connection: Connection, oid: int, name: str, *, can_clear: bool) -> None:
    """Analyze the table, with a smaller sample if that takes too long."""
    for target in _SAMPLES:
        try:
            with errors.translated(), connection.transaction():
                connection.execute("SELECT set_config('statement_timeout', %s, true)", [_TIMEOUT])
                if target is not None:
                    connection.execute("SELECT set_config('default_statistics_target', %s, true)", [str(target)])
                if can_clear:
                    connection.execute(_CLEAR, [oid])
                # The name comes from PostgreSQL and is already quoted.
                connection.execute(sql.SQL("ANALYZE {}").format(sql.SQL(name)))  # pyright: ignore[reportArgumentType] - as above
        except errors.TransientError as error:
            if error.sqlstate != "57014":
                raise
        else:
            return
    log.warning("ANALYZE %s takes too long: until it is run, statistics may quote erased values", name)
