"""Erases raw events: those about a person's messages, and those that mention the person."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import LiteralString, TypeAlias, cast

from store.erasure import mentions
from store.erasure.subjects import ErasureSubject
from store.history import event_digests, message_keys, raw_events
from store.ledger import set_aside_events
from store.postgres.connections import Connection

ID_WINDOW = 50_000
"""Ids that one step scans: neither senders nor bodies have an index."""
BATCH_SIZE = 200
"""Rows that one step erases at most, because other writers wait for its locks."""
_PAGE_SIZE = 50
"""Bodies in memory at a time; one has up to a mebibyte."""
_MAX_STEP_BYTES = 32 << 20
"""Bodies that one step searches; it is one transaction."""


_EventRow: TypeAlias = tuple[int, bytes, bytes, int | None]
"""(event_id, digest, body, key_id)"""


@dataclass(frozen=True, slots=True)
class ErasureStep:
    last_id: int | None
    """The stage is done up to this id; None: completely."""
    erased_counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class LinkedEvent:
    event_id: int
    digest: bytes
    body: bytes
    key_ids: frozenset[int]
    """The messages that the event is about: an acknowledgement may list several, of several people."""


def step_parameters(after: int, window: int = ID_WINDOW) -> dict[str, object]:
    """The SQL parameters of a step's SELECT."""
    return {"after": after, "window": window, "limit": BATCH_SIZE}


def erase_mentions(
    connection: Connection, subject: ErasureSubject, after: int, *, dry_run: bool = False
) -> ErasureStep:
    """Erase the next raw events whose bodies contain a number of the subject: parked events, and quotes by others.

    The messages of other people stay in the history; only the bodies are erased.
    """
    window = ID_WINDOW // 10
    searched = subject.mentions()
    mentioning: list[_EventRow] = []
    position, read_bytes = after, 0
    while len(mentioning) < BATCH_SIZE and read_bytes < _MAX_STEP_BYTES:
        page = _bodies(connection, subject, position, after + window)
        read_bytes += sum(len(body) for _, _, body, _ in page)
        mentioning += _in_sessions(connection, subject, [row for row in page if mentions.occurs(searched, row[2])])
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
        # Events without a message are parked, noise or a report: all of their content is about the subject.
        lock_and_mark_erased(connection, [digest for _, digest, _, key_id in mentioning if key_id is None], key_ids)
        delete(connection, [LinkedEvent(*row[:3], frozenset()) for row in mentioning], key_ids)
    return ErasureStep(last_id, {"raw_events": len(mentioning)})


def _bodies(connection: Connection, subject: ErasureSubject, after: int, upto: int) -> list[_EventRow]:
    cursor = connection.execute(
        """
        SELECT e.event_id, e.digest, e.body, e.key_id
        FROM raw_events AS e
        WHERE e.event_id > %(after)s AND e.event_id <= %(upto)s AND e.received_at <= %(received_until)s
        ORDER BY e.event_id
        LIMIT %(limit)s
        """,
        {**subject.sql_parameters, "after": after, "upto": upto, "limit": _PAGE_SIZE},
        binary=True,
    )
    return cast("list[_EventRow]", cursor.fetchall())


def _in_sessions(connection: Connection, subject: ErasureSubject, rows: Sequence[_EventRow]) -> Sequence[_EventRow]:
    """Those of these events that tell of the subject's sessions; where the history does not know, by their bodies."""
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
    told = {
        event_id: (sender, known)
        for event_id, sender, known in cast("Iterable[tuple[int, str | None, list[str]]]", cursor)
    }
    return [row for row in rows if _tells_of(subject.session_ids, *told[row[0]], row[2])]


def _tells_of(session_ids: Collection[str], sender: str | None, known: Collection[str], body: bytes) -> bool:
    if known:
        return not set(session_ids).isdisjoint(known)
    # In the body of `NAME:session`, the name of the sender is missing.
    names = (session_id.rpartition(":") for session_id in session_ids)
    return any(word.encode() in body and name in ("", sender) for name, _, word in names)


def last_erased_id(
    connection: Connection, max_id_query: LiteralString, ids: Sequence[int], after: int, *, window: int = ID_WINDOW
) -> int | None:
    """The id up to which a stage is done once these rows are erased; None if no rows are left."""
    if len(ids) >= BATCH_SIZE:
        return ids[-1]
    row = connection.execute(max_id_query).fetchone()
    return None if row is None or cast("int", row[0]) <= after + window else after + window


def linked_to_keys(connection: Connection, key_ids: Collection[int]) -> list[LinkedEvent]:
    """The stored raw events about these messages."""
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
    """Lock digests and then message keys, as every writer does, and set the digests' outcome to `forgotten`."""
    event_digests.lock(connection, digests)
    connection.execute("UPDATE event_digests SET outcome = 'forgotten' WHERE digest = ANY(%s)", [list(digests)])
    message_keys.lock_ids(connection, key_ids)


def delete(connection: Connection, events: Sequence[LinkedEvent], key_ids: Collection[int]) -> None:
    """Delete these raw events, which are sources of locked keys."""
    event_ids = sorted({event.event_id for event in events})
    connection.execute("DELETE FROM event_keys WHERE event_id = ANY(%s)", [event_ids])
    set_aside_events.remove(connection, [event.digest for event in events])
    connection.execute("DELETE FROM raw_events WHERE event_id = ANY(%s)", [event_ids])
    message_keys.mark_pruned(connection, key_ids)
