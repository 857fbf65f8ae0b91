"""Finds the people who were erased from only some sessions of an account, and records their erasure from the others.

An erasure in one session includes the other sessions of its account. The history of a session that joins the account
later is searched page by page. Erasures are executed by store/erasure/jobs.py.
"""

from collections.abc import Collection, Iterable
from typing import Final, cast

from store.erasure import mentions, suppressions
from store.erasure.suppressions import SuppressionSet
from store.postgres.connections import Connection

WINDOW: Final = 2_000
"""The greatest number of ids of messages and of raw events that one step searches."""
_PAGE: Final = 50
"""The number of ids whose bodies are in memory at a time. A body has up to a mebibyte."""
_MAX_STEP_BYTES: Final = 8 << 20
"""The size of bodies after which a step ends. A step is one transaction."""
DONE: Final = 2**63 - 1
"""The position after all rows."""


def record_erasures(
    connection: Connection, suppression_set: SuppressionSet | None, session_ids: Collection[str], after: int
) -> int:
    """Record erasures of the people in the next rows of these sessions. Return the position of the next step."""
    if suppression_set is None:
        return DONE
    found = _in_chats(connection, session_ids) if after == 0 else set[tuple[str | None, str]]()
    found |= _in_messages(connection, session_ids, after, after + WINDOW)
    last_id, size = after, 0
    while last_id < after + WINDOW and size < _MAX_STEP_BYTES:
        window, last_id = (last_id, last_id + _PAGE), last_id + _PAGE
        for session_id, body in _bodies(connection, session_ids, window, suppression_set.latest_received_until):
            size += len(body)
            found |= {(session_id, address) for address in mentions.addresses_in(body)}
    for session_id, address in sorted(found, key=str):
        for scope in session_ids:
            received_until = suppression_set.received_until_in_scope(scope, address)
            if scope != session_id and received_until is not None:
                suppressions.enqueue_erasure_once(connection, scope, address, received_until)
    return last_id if _has_more(connection, last_id) else DONE


def _in_chats(connection: Connection, session_ids: Collection[str]) -> set[tuple[str | None, str]]:
    """Return the addresses of the chats. People known from evidence, updates or sends have a chat, too."""
    cursor = connection.execute(
        "SELECT c.session_id, c.address FROM chats AS c WHERE c.session_id = ANY(%s)", [list(session_ids)]
    )
    return set(cast("Iterable[tuple[str, str]]", cursor))


def _in_messages(
    connection: Connection, session_ids: Collection[str], after: int, last_id: int
) -> set[tuple[str | None, str]]:
    """Return the authors of messages in groups."""
    cursor = connection.execute(
        """
        SELECT DISTINCT m.session_id, m.sender
        FROM whatsapp_messages AS m
        WHERE m.id > %(after)s AND m.id <= %(last_id)s AND m.session_id = ANY(%(sessions)s) AND m.sender IS NOT NULL
        """,
        {"after": after, "last_id": last_id, "sessions": list(session_ids)},
    )
    return set(cast("Iterable[tuple[str, str]]", cursor))


def _bodies(
    connection: Connection, session_ids: Collection[str], window: tuple[int, int], received_until: int
) -> list[tuple[str | None, bytes]]:
    """Return (session_id, body) of these raw events. The session is None if it is unknown."""
    cursor = connection.execute(
        """
        SELECT known.session_id, e.body
        FROM raw_events AS e
        LEFT JOIN parked_events AS p USING (digest)
        LEFT JOIN noise_events AS n USING (digest)
        LEFT JOIN message_keys AS k ON k.key_id = e.key_id
        LEFT JOIN sessions AS s USING (session_number)
        CROSS JOIN LATERAL (SELECT coalesce(p.session_id, n.session_id, s.session_id) AS session_id) AS known
        WHERE e.event_id > %(after)s AND e.event_id <= %(last_id)s AND e.received_at <= %(received_until)s
            AND (known.session_id IS NULL OR known.session_id = ANY(%(sessions)s))
        """,
        {"after": window[0], "last_id": window[1], "received_until": received_until, "sessions": list(session_ids)},
        binary=True,
    )
    return cast("list[tuple[str | None, bytes]]", cursor.fetchall())


def _has_more(connection: Connection, last_id: int) -> bool:
    row = connection.execute(
        """
        SELECT EXISTS (SELECT FROM raw_events AS e WHERE e.event_id > %(last_id)s)
            OR EXISTS (SELECT FROM whatsapp_messages AS m WHERE m.id > %(last_id)s)
        """,
        {"last_id": last_id},
    ).fetchone()
    return row == (True,)
