"""Keeps the search index up to date by following the change feed."""

import itertools
from collections.abc import Iterable, Sequence
from typing import LiteralString, cast

from psycopg import errors as postgres_errors
from psycopg import sql

from store.model import message_columns, spelling
from store.model.message_columns import Column
from store.postgres import advisory_locks, connections, copying, errors
from store.postgres.connections import Connection
from store.postgres.errors import StoreError
from store.search_index import chat_names, messages_to_index, search_document
from store.search_index.messages_to_index import MessageToIndex

MAX_TEXT_BYTES = 256 << 10
"""The size of the texts in one transaction (or of one message), because an open transaction holds back newer changes
from readers of the feed.
"""
_SETTINGS = {"statement_timeout": "5s", "plan_cache_mode": "force_generic_plan"}
"""The settings of the index. Generic plans save planning the statements for each transaction
(docs/performance/profiles.md).
"""
_RETRY_INTERVAL = "1 hour"
"""The time after which a skipped message is tried again."""

_COLUMNS = (
    Column("id", "bigint"),
    Column("text", "text"),
    Column("spelling", "smallint"),
    *messages_to_index.MESSAGE_COLUMNS,
)
_COPY: LiteralString = f"COPY search_index ({message_columns.names(_COLUMNS)}) FROM STDIN (FORMAT binary)"


def advance(connection: Connection, limit: int, *, skip_reason: str | None = None) -> bool:
    """Index up to `limit` changes, and messages and names with an outdated spelling. Return True if there may be more.

    With a `skip_reason`, the messages are recorded as not indexed instead. Does nothing while another process indexes.
    Raises StoreError.
    """
    with errors.translated(), connection.transaction():
        if not advisory_locks.try_acquire(connection, advisory_locks.SEARCH_INDEX):
            return False
        settings = {**_SETTINGS, **connections.KEY_LOOKUP_SETTINGS}
        connection.execute(
            "SELECT set_config(s.name, s.value, true) FROM unnest(%s::text[], %s::text[]) AS s (name, value)",
            [list(settings), list(settings.values())],
        )
        return _advance_locked(connection, limit, skip_reason)


def is_caused_by_texts(error: StoreError) -> bool:
    """Return whether a retry with fewer messages, or without one of them, may succeed.

    This is the case if the texts took too long or exceed a limit.
    """
    return isinstance(error, errors.PermanentError) or error.sqlstate == postgres_errors.QueryCanceled.sqlstate


def _advance_locked(connection: Connection, limit: int, skip_reason: str | None) -> bool:
    changes = messages_to_index.of_changes(connection, limit, MAX_TEXT_BYTES)
    count = len(changes.positions)
    if count:
        if skip_reason is None:
            _write(connection, changes.messages)
        else:
            _skip(connection, [row_id for row_id, *_ in changes.messages], skip_reason)
        connection.execute("UPDATE search_index_position SET xid = %s::xid8, change_id = %s", changes.positions[-1])
    respelled_names = chat_names.respell(connection, limit)
    if changes.has_more or respelled_names == limit:
        return True
    if _respell(connection, limit - count, skip_reason):
        return True
    return not count and _retry_skipped(connection)


def _count_fitting(sizes: Sequence[int]) -> int:
    """Return how many of the first texts fit into MAX_TEXT_BYTES. The first one always counts as fitting."""
    return max(1, sum(total <= MAX_TEXT_BYTES for total in itertools.accumulate(sizes))) if sizes else 0


def _respell(connection: Connection, limit: int, skip_reason: str | None) -> bool:
    """Index messages again if their documents have an outdated spelling. Return whether there may be more.

    Such documents were written by another version of this program. The newest messages come first.
    """
    cursor = connection.execute(
        # A literal, because a plan for any spelling cannot use the index of outdated ones.
        sql.SQL(
            """
            SELECT s.id, octet_length(s.text)
            FROM search_index AS s
            WHERE s.spelling < {}
            ORDER BY s.spelling DESC, s.id DESC
            LIMIT %s
            """
        ).format(spelling.VERSION),
        [limit],
    )
    found = cast("list[tuple[int, int]]", cursor.fetchall())
    row_ids = sorted(row_id for row_id, _ in found[: _count_fitting([size for _, size in found])])
    if skip_reason is not None:
        _skip(connection, row_ids, skip_reason)
    elif row_ids:
        _index(connection, row_ids)
    if len(found) == limit or len(row_ids) < len(found):
        return True
    connection.execute(
        "UPDATE search_index_position SET spelling = %(version)s WHERE spelling < %(version)s",
        {"version": spelling.VERSION},
    )
    return False


def _retry_skipped(connection: Connection) -> bool:
    """Retry a message that was skipped. Return whether there was one."""
    row = connection.execute(
        """
        SELECT s.id
        FROM search_skipped AS s
        WHERE s.skipped_at < now() - %s::interval
        ORDER BY s.skipped_at, s.id
        LIMIT 1
        """,
        [_RETRY_INTERVAL],
    ).fetchone()
    if row is None:
        return False
    row_ids = cast("tuple[int]", row)
    # The message may have been deleted.
    connection.execute("DELETE FROM search_skipped WHERE id = ANY(%s)", [list(row_ids)])
    try:
        with errors.translated(), connection.transaction():
            _index(connection, row_ids)
    except StoreError as error:
        if not is_caused_by_texts(error):
            raise
        _skip(connection, row_ids, skip_reason_of(error))
    return True


def skip_reason_of(error: StoreError) -> str:
    """Return the reason for skipping a message, given the error of its indexing: the SQLSTATE."""
    return error.sqlstate or "unknown"


def _skip(connection: Connection, row_ids: Sequence[int], reason: str) -> None:
    parameters = {"ids": list(row_ids), "reason": reason}
    # The existing document is that of an earlier text.
    connection.execute("DELETE FROM search_index WHERE id = ANY(%(ids)s)", parameters)
    connection.execute(
        """
        INSERT INTO search_skipped (id, sqlstate)
        SELECT m.id, %(reason)s
        FROM whatsapp_messages AS m
        WHERE m.id = ANY(%(ids)s)
        ON CONFLICT (id) DO UPDATE SET sqlstate = excluded.sqlstate, skipped_at = excluded.skipped_at
        """,
        parameters,
    )


def _index(connection: Connection, row_ids: Sequence[int]) -> None:
    """Write the documents of these messages, except those that did not change."""
    _write(connection, messages_to_index.of_rows(connection, row_ids))


def _write(connection: Connection, messages: Iterable[MessageToIndex]) -> None:
    """Write the documents that did not exist or changed."""
    outdated: list[int] = []
    documents: list[tuple[object, ...]] = []
    for row_id, text, old_text, is_current, *values in messages:
        document = search_document.build(text)
        if old_text is not None:
            if is_current and document == old_text:
                continue
            outdated.append(row_id)
        if document:
            documents.append((row_id, document, spelling.VERSION, *values))
    # Documents are deleted and inserted, not updated: the trigger reset_search_spelling takes each update for one of an
    # older worker, which does not know the column `spelling`.
    if outdated:
        connection.execute("DELETE FROM search_index AS s WHERE s.id = ANY(%s)", [outdated])
    if documents:
        copying.copy(connection, _COPY, [column.type for column in _COLUMNS], documents)
