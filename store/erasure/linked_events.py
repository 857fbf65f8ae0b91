"""Raw bodies in which somebody who is to be forgotten left a trace: of what was theirs, and that mention them."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import LiteralString, cast

from store.erasure.subjects import ErasureSubject
from store.history import raw_events
from store.postgres.connections import Connection

ID_WINDOW = 50_000
"""So many ids are looked through in one step: there is no index by sender, nor one of what bodies say."""
BATCH_SIZE = 200
"""So many rows at most are erased in one step: others wait for their chats meanwhile."""


@dataclass(frozen=True, slots=True)
class ErasureStep:
    last_id: int | None
    """Up to which id; None: there are no more."""
    erased_counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class LinkedEvent:
    event_id: int
    digest: bytes
    body: bytes
    key_ids: frozenset[int]
    """Of the messages that it tells of: an ack may list several, of several people."""


def erase_mentions(
    connection: Connection, subject: ErasureSubject, after: int, *, dry_run: bool = False
) -> ErasureStep:
    """Erase the next of the bodies that have their number in them: parked ones, and what others quoted.

    What others wrote stays, as it was folded; only the bodies go.
    """
    window = ID_WINDOW // 10
    found = connection.execute(
        """
        SELECT e.event_id, e.digest, e.body, e.key_id
        FROM raw_events AS e
        WHERE e.event_id > %(after)s AND e.event_id <= %(after)s + %(window)s AND e.received_at <= %(upto)s
            AND EXISTS (
                SELECT
                FROM unnest(%(numbers)s::text[]) AS n (number)
                WHERE position(n.number IN translate(encode(e.body, 'escape'), ' ()./', '')) > 0
                    OR position(translate(n.number, '-', '') IN translate(encode(e.body, 'escape'), ' ()./-', '')) > 0
            )
        ORDER BY e.event_id
        LIMIT %(batch)s
        """,
        {
            **subject.sql_parameters,
            "numbers": subject.user_parts,
            "after": after,
            "window": window,
            "batch": BATCH_SIZE,
        },
        binary=True,
    ).fetchall()
    rows = cast("Sequence[tuple[int, bytes, bytes, int | None]]", found)
    last = "SELECT coalesce(max(e.event_id), 0) FROM raw_events AS e"
    done = last_erased_id(connection, last, [row[0] for row in rows], after, window=window)
    finder = subject.body_pattern()
    theirs = [row for row in rows if _mentions_subject(subject, finder, row[2])]
    if theirs and not dry_run:
        further = raw_events.additional_key_ids(connection, [event_id for event_id, *_ in theirs])
        key_ids = sorted({*further, *(key_id for *_, key_id in theirs if key_id is not None)})
        # Nobody's message: what is parked, noise, or a report, which is all about them.
        lock_and_mark_erased(connection, [digest for _, digest, _, key_id in theirs if key_id is None], key_ids)
        delete(connection, [LinkedEvent(*row[:3], frozenset()) for row in theirs], key_ids)
    return ErasureStep(done, {"bodies": len(theirs)})


def _mentions_subject(subject: ErasureSubject, pattern: re.Pattern[bytes], body: bytes) -> bool:
    in_session = subject.session_id is None or subject.session_id.encode() in body
    return in_session and pattern.search(body) is not None


def last_erased_id(
    connection: Connection, max_id_query: LiteralString, ids: Sequence[int], after: int, *, window: int = ID_WINDOW
) -> int | None:
    """Up to which id everything is erased once these are; None: up to the last."""
    if len(ids) >= BATCH_SIZE:
        return ids[-1]
    row = connection.execute(max_id_query).fetchone()
    return None if row is None or cast("int", row[0]) <= after + window else after + window


def linked_to_keys(connection: Connection, key_ids: Collection[int]) -> list[LinkedEvent]:
    """What is kept of the bodies that tell of these keys."""
    linked = raw_events.event_ids_by_key(connection, key_ids)
    found = connection.execute(
        """
        SELECT e.event_id, e.digest, e.body, array_remove(
                e.key_id || ARRAY(SELECT k.key_id FROM event_keys AS k WHERE k.event_id = e.event_id), NULL
            )
        FROM raw_events AS e
        WHERE e.event_id = ANY(%s)
        ORDER BY e.event_id
        """,
        [sorted({event_id for events in linked.values() for event_id in events})],
        binary=True,
    )
    rows = cast("Iterable[tuple[int, bytes, bytes, list[int]]]", found)
    return [LinkedEvent(event_id, digest, body, frozenset(keys)) for event_id, digest, body, keys in rows]


def lock_and_mark_erased(connection: Connection, digests: Collection[bytes], key_ids: Collection[int]) -> None:
    """Lock, as every writer does, digests before keys; and let the digests say nothing any more."""
    connection.execute(
        "SELECT FROM event_digests AS d WHERE d.digest = ANY(%s) ORDER BY d.digest FOR UPDATE", [list(digests)]
    )
    connection.execute("UPDATE event_digests SET outcome = 'forgotten' WHERE digest = ANY(%s)", [list(digests)])
    connection.execute(
        "SELECT FROM message_keys AS k WHERE k.key_id = ANY(%s) ORDER BY k.session_number, k.message_id FOR UPDATE",
        [list(key_ids)],
    )


def delete(connection: Connection, traces: Sequence[LinkedEvent], key_ids: Collection[int]) -> None:
    """Delete these bodies, the sources of locked keys."""
    events = sorted({trace.event_id for trace in traces})
    connection.execute("DELETE FROM event_keys WHERE event_id = ANY(%s)", [events])
    connection.execute("DELETE FROM parked_events WHERE digest = ANY(%s)", [sorted({trace.digest for trace in traces})])
    connection.execute("DELETE FROM raw_events WHERE event_id = ANY(%s)", [events])
    mark_source_pruned(connection, key_ids)


def mark_source_pruned(connection: Connection, key_ids: Collection[int]) -> None:
    """Note of these locked keys that a source of them is gone, so that no replay takes what is left for all."""
    connection.execute(
        "UPDATE message_keys SET has_pruned_sources = true WHERE key_id = ANY(%s) AND NOT has_pruned_sources",
        [sorted(set(key_ids))],
    )
