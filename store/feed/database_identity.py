"""Identifies the database and its position, so that a worker notices another database or one that lost commits."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from store.postgres import errors
from store.postgres.connections import Connection

ID_MARGIN = 1_000_000
"""The number of ids to skip after the highest known one. Fewer ids are assigned between two reports."""
SMALL_ID_MARGIN = 1_000
"""The number of ids to skip in 32-bit sequences."""
_UNREPORTED = frozenset({"0A000", "42501", "42883"})
"""The SQLSTATEs of a server that does not report the position of its log: not supported, not permitted, no such
function.
"""


class PositionUnknownError(errors.StoreError):
    """The server does not report its timeline."""


@dataclass(frozen=True, slots=True)
class DatabaseIdentity:
    database_id: str
    generation: str
    """If it changes, commits may be missing."""
    timeline: str | None
    """PostgreSQL's timeline as 8 hexadecimal digits. None if the server does not report it; then the positions are
    None, too.
    """
    flushed_lsn: int | None
    """The position up to which the log is on disk and survives a crash."""
    written_lsn: int | None
    """The end of the log."""
    last_ids: Mapping[str, int]
    """The last value of each sequence, by name."""


def read(connection: Connection, *, with_position: bool = True) -> DatabaseIdentity:
    """Read the identity. Set `with_position` to False if the server does not report its timeline. Raises StoreError."""
    with errors.translated():
        row = connection.execute(
            """
            SELECT i.database_id::text, i.generation::text, s.last_ids
            FROM database_identity AS i
            CROSS JOIN (
                -- Null before the first id is assigned.
                SELECT coalesce(jsonb_object_agg(q.sequencename, coalesce(q.last_value, 0)), '{}')::text AS last_ids
                FROM pg_sequences AS q
                WHERE q.schemaname = 'public'
            ) AS s
            """
        ).fetchone()
        assert row is not None, "a migration inserted it"
        database_id, generation, last_ids = cast("tuple[str, str, str]", row)
    timeline, flushed, written = _read_position(connection) if with_position else (None, None, None)
    return DatabaseIdentity(database_id, generation, timeline, flushed, written, json.loads(last_ids))


def _read_position(connection: Connection) -> tuple[str, int, int]:
    try:
        with errors.translated():
            row = connection.execute(
                """
                SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8),
                    pg_wal_lsn_diff(pg_current_wal_flush_lsn(), '0/0')::bigint,
                    pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint
                """
            ).fetchone()
    except errors.StoreError as error:
        if error.sqlstate in _UNREPORTED:
            raise PositionUnknownError(str(error), error.sqlstate) from error
        raise
    return cast("tuple[str, int, int]", row)


def continue_after(connection: Connection, generations: Sequence[str], last_ids: Mapping[str, int]) -> None:
    """Skip the ids that a lost state of the database used. `last_ids` are the last ones by sequence.

    If the database still has one of these generations, start another generation and another epoch of the feed.
    Otherwise, a restore or another worker has already done so. Raises StoreError.
    """
    with errors.translated(), connection.transaction():
        replaced = connection.execute(
            "UPDATE database_identity SET generation = gen_random_uuid() WHERE generation = ANY(%s::uuid[])",
            [list(generations)],
        )
        if replaced.rowcount:
            connection.execute("UPDATE feed_epoch SET epoch = gen_random_uuid()")
        connection.execute(
            """
            SELECT setval(format('%%I.%%I', q.schemaname, q.sequencename)::regclass, n.next_id)
            FROM pg_sequences AS q
            JOIN jsonb_each_text(%(last_ids)s) AS l ON l.key = q.sequencename
            CROSS JOIN LATERAL (
                SELECT l.value::bigint + CASE q.data_type WHEN 'bigint'::regtype THEN %(margin)s ELSE %(small)s END
                    AS next_id
            ) AS n
            WHERE q.schemaname = 'public' AND n.next_id > coalesce(q.last_value, 0) AND n.next_id <= q.max_value
            """,
            {"last_ids": json.dumps(dict(last_ids)), "margin": ID_MARGIN, "small": SMALL_ID_MARGIN},
        )
