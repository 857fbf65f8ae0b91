"""Erases raw events about a person's messages and raw events that mention the person."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import LiteralString, TypeAlias, cast

from store.erasure import mentions
from store.erasure.subjects import ErasureSubject
from store.history.events import event_digests, raw_events
from store.history.messages import message_keys
from store.ledger import set_aside_events
from store.postgres.connections import Connection

ID_WINDOW = 50_000
"""The number of ids that one step scans, because neither senders nor bodies have an index."""
BATCH_SIZE = 200
"""The greatest number of rows that one step erases, because other writers wait for its locks."""
_PAGE_SIZE = 50
"""The number of bodies in memory at a time. A body may have 1 MiB."""
_MAX_STEP_BYTES = 32 << 20
"""The size of the bodies that one step searches in one transaction."""


_EventRow: TypeAlias = tuple[int, bytes, bytes, int | None]
"""(event_id, digest, body, key_id)"""


@dataclass(frozen=True, slots=True)
class ErasureStep:
    last_id: int | None
    """The id up to which the stage is done, or None if it is complete."""
    erased_counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class LinkedEvent:
    event_id: int
    digest: bytes
    body: bytes
    key_ids: frozenset[int]
    """The keys of the messages that the event is about. An acknowledgement may list several messages, of several
    people.
    """


def step_parameters(after: int) -> dict[str, object]:
    """Return the SQL parameters of a step's SELECT."""
    return {"after": after, "window": ID_WINDOW, "limit": BATCH_SIZE}


def erase_mentions(
    connection: Connection, subject: ErasureSubject, after: int, *, dry_run: bool = False
) -> ErasureStep:
    """Erase the next raw events whose bodies contain a number of the subject: parked events, and quotes by others.

    The messages of other people stay in the history; only the raw bodies are erased.
    """
    window = ID_WINDOW // 10
    pattern = subject.mention_pattern()
    mentioning: list[_EventRow] = []
    position, read_bytes = after, 0
    while len(mentioning) < BATCH_SIZE and read_bytes < _MAX_STEP_BYTES:
        page = _bodies(connection, subject, position, after + window)
        read_bytes += sum(len(body) for _, _, body, _ in page)
        mentioning += _in_sessions(connection, subject, [row for row in page if mentions.occurs(pattern, row[2])])
        if len(page) < _PAGE_SIZE:
            position = None
            break
        position = page[-1][0]
    last_id = position or last_erased_id(
        connection, "SELECT coalesce(max(e.event_id), 0) FROM raw_events AS e", [], after, window=window
    )
    if mentioning and not dry_run:
        additional = raw_events.additional_key_ids(connection, [event_id for event_id, *_ in mentioning])
        key_ids = sorted({*additional, *(key_id for *_, key_id in mentioning if key_id is not None)})
        # Events without a message are parked, noise or a report, so all of their content is about the subject.
        lock_and_mark_erased(connection, [digest for _, digest, _, key_id in mentioning if key_id is None], key_ids)
        delete(connection, [LinkedEvent(*row[:3], frozenset()) for row in mentioning], key_ids)
    return ErasureStep(last_id, {"raw_events": len(mentioning)})


def _bodies(connection: Connection, subject: ErasureSubject, after: int, last_id: int) -> list[_EventRow]:
    cursor = connection.execute(
        """
        SELECT e.event_id, e.digest, e.body, e.key_id
        FROM raw_events AS e
        WHERE e.event_id > %(after)s AND e.event_id <= %(last_id)s AND e.received_at <= %(received_until)s
        ORDER BY e.event_id
        LIMIT %(limit)s
        """,
        {**subject.sql_parameters, "after": after, "last_id": last_id, "limit": _PAGE_SIZE},
        binary=True,
    )
    return cast("list[_EventRow]", cursor.fetchall())


def _in_sessions(connection: Connection, subject: ErasureSubject, rows: Sequence[_EventRow]) -> Sequence[_EventRow]:
    """Return the events that belong to the subject's sessions.

    If their sessions are unknown, the bodies are searched for them.
    """
    if subject.session_ids is None or not rows:
        return rows
    cursor = connection.execute(
        """
        SELECT e.event_id, split_part(e.sender, ':', 2), array_remove(
                ARRAY(
                    SELECT s.session_id
                    FROM message_keys AS k
                    JOIN sessions AS s USING (session_number)
                    WHERE k.key_id = e.key_id
                        OR k.key_id IN (SELECT more.key_id FROM event_keys AS more WHERE more.event_id = e.event_id)
                ) || coalesce(p.session_id, n.session_id), NULL
            )
        FROM raw_events AS e
        LEFT JOIN parked_events AS p USING (digest)
        LEFT JOIN noise_events AS n USING (digest)
        WHERE e.event_id = ANY(%s)
        """,
        [[event_id for event_id, *_ in rows]],
    )
    sessions_by_event = {
        event_id: (sender, known)
        for event_id, sender, known in cast("Iterable[tuple[int, str | None, list[str]]]", cursor)
    }
    return [row for row in rows if _concerns_sessions(subject.session_ids, *sessions_by_event[row[0]], row[2])]


def _concerns_sessions(session_ids: Collection[str], sender: str | None, known: Collection[str], body: bytes) -> bool:
    if known:
        return not set(session_ids).isdisjoint(known)
    # A session is `NAME:session`; its body does not contain NAME, the name of the sender.
    names = (session_id.rpartition(":") for session_id in session_ids)
    return any(word.encode() in body and name in ("", sender) for name, _, word in names)


def last_erased_id(
    connection: Connection, max_id_query: LiteralString, ids: Sequence[int], after: int, *, window: int = ID_WINDOW
) -> int | None:
    """Return the id up to which a stage is done when these rows are erased, or None if no rows are left."""
    if len(ids) >= BATCH_SIZE:
        return ids[-1]
    row = connection.execute(max_id_query).fetchone()
    return None if row is None or cast("int", row[0]) <= after + window else after + window


def linked_to_keys(connection: Connection, key_ids: Collection[int]) -> list[LinkedEvent]:
    """Return the raw events that are linked to these messages."""
    event_ids_by_key = raw_events.event_ids_by_key(connection, key_ids)
    cursor = connection.execute(
        """
        SELECT e.event_id, e.digest, e.body, array_remove(
                e.key_id || ARRAY(SELECT k.key_id FROM event_keys AS k WHERE k.event_id = e.event_id), NULL
            )
        FROM raw_events AS e
        WHERE e.event_id = ANY(%s)
        ORDER BY e.event_id
        """,
        [sorted({event_id for event_ids in event_ids_by_key.values() for event_id in event_ids})],
        binary=True,
    )
    rows = cast("Iterable[tuple[int, bytes, bytes, list[int]]]", cursor)
    return [LinkedEvent(event_id, digest, body, frozenset(linked)) for event_id, digest, body, linked in rows]


def lock_and_mark_erased(connection: Connection, digests: Collection[bytes], key_ids: Collection[int]) -> None:
    """Lock digests and then message keys, as every writer does, and set the outcome of the digests to `forgotten`."""
    event_digests.lock(connection, digests)
    connection.execute("UPDATE event_digests SET outcome = 'forgotten' WHERE digest = ANY(%s)", [list(digests)])
    message_keys.lock_ids(connection, key_ids)


def delete(connection: Connection, events: Sequence[LinkedEvent], key_ids: Collection[int]) -> None:
    """Delete these raw events, and mark their keys as pruned. The caller has locked the keys."""
    event_ids = sorted({event.event_id for event in events})
    connection.execute("DELETE FROM event_keys WHERE event_id = ANY(%s)", [event_ids])
    set_aside_events.remove(connection, [event.digest for event in events])
    connection.execute("DELETE FROM raw_events WHERE event_id = ANY(%s)", [event_ids])
    message_keys.mark_pruned(connection, key_ids)
