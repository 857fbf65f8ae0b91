"""Reads the audit log, newest first, and adds the chats and tokens that its entries refer to."""

from typing import cast

from store.postgres.connections import Connection
from store.reading.fragments.json_views import iso_time


def read_page(connection: Connection, before: int | None, limit: int) -> tuple[list[str], int | None]:
    """Return a page of entries as JSON, starting before the id `before`, and the id at which the next page starts.

    The id is None on the last page. An erased chat appears only as its id.
    """
    rows = connection.execute(
        f"""
        SELECT a.audit_id,
            json_build_object(
                'id', a.audit_id, 'at', {iso_time("a.at")}, 'caller', a.caller, 'method', a.method, 'route', a.path,
                'status', a.status,
                'chats', (
                    SELECT coalesce(json_agg(json_build_object(
                        'session_id', c.session_id, 'address', c.address, 'name', c.name
                    ) ORDER BY c.chat_id), '[]')
                    FROM chats AS c
                    WHERE c.chat_id IN (SELECT m.canonical_chat_id FROM chats AS m WHERE m.chat_id = ANY(a.chat_ids))
                ),
                'token', (SELECT t.name FROM api_tokens AS t WHERE t.token_id = a.token_id)
            )::text
        FROM audit_log AS a
        WHERE %(before)s::bigint IS NULL OR a.audit_id < %(before)s
        ORDER BY a.audit_id DESC
        LIMIT %(limit)s
        """,
        {"before": before, "limit": limit + 1},
    ).fetchall()
    page = cast("list[tuple[int, str]]", rows[:limit])
    return [entry for _, entry in page], page[-1][0] if len(rows) > limit else None
