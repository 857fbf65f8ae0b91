"""Takes a person's messages, marks and raw bodies away, some at a time, in the locks' order of every writer.

A message and the bodies that told of it go in one transaction, in which the bodies' digests become `forgotten`: a
replay beside it finds all of its sources or none, and late copies are duplicates of something that says nothing.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import cast

from store.erasure import linked_events, tombstones
from store.erasure.key_store import SuppressionKey
from store.erasure.linked_events import ErasureStep, LinkedEvent
from store.erasure.subjects import ErasureSubject
from store.feed import changes, search_index
from store.feed.changes import Change
from store.history import chat_summaries, chats, message_updates
from store.postgres import errors
from store.postgres.connections import Connection


class ConcurrentChangeError(errors.TransientError):
    """Something came in between; nothing was done."""


def erase(connection: Connection, key: SuppressionKey, subject: ErasureSubject, after: int) -> ErasureStep:
    """Erase the next of the messages in their chats, and of theirs in groups."""
    chat_ids = subject.chat_ids(connection)
    found = connection.execute(
        """
        SELECT m.id, m.key_id
        FROM whatsapp_messages AS m
        WHERE m.id > %(after)s AND m.id <= %(after)s + %(window)s AND m.receive_order <= %(upto)s * 65536 + 65535
            AND (
                m.chat_id = ANY(%(chats)s)
                OR m.sender = ANY(%(addresses)s) AND (%(session)s::text IS NULL OR m.session_id = %(session)s)
            )
        ORDER BY m.id
        LIMIT %(batch)s
        """,
        {
            **subject.sql_parameters,
            "chats": chat_ids,
            "after": after,
            "window": linked_events.ID_WINDOW,
            "batch": linked_events.BATCH_SIZE,
        },
    ).fetchall()
    ids = cast("Sequence[tuple[int, int]]", found)
    done = linked_events.last_erased_id(
        connection, "SELECT coalesce(max(m.id), 0) FROM whatsapp_messages AS m", [i for i, _ in ids], after
    )
    if not ids:
        return ErasureStep(done, {})
    named = {key_id for _, key_id in ids}
    told = _events_about_subject(connection, subject, chat_ids, named)
    key_ids = sorted(named.union(*(trace.key_ids for trace in told)))
    linked_events.lock_and_mark_erased(connection, [trace.digest for trace in told], key_ids)
    if _events_about_subject(connection, subject, chat_ids, named) != told:
        raise ConcurrentChangeError("An event came in between")
    located = chats.lock(connection, chats.addresses_of_keys(connection, key_ids))
    search_index.remove(connection, [row_id for row_id, _ in ids])
    gone = cast(
        "list[tuple[str, str, int]]",
        connection.execute(
            """
            DELETE FROM whatsapp_messages AS m
            WHERE m.key_id = ANY(%(keys)s) AND m.receive_order <= %(upto)s * 65536 + 65535
                AND (m.chat_id = ANY(%(chats)s) OR m.sender = ANY(%(addresses)s))
            RETURNING m.session_id, m.message_id, m.chat_id
            """,
            {**subject.sql_parameters, "chats": chat_ids, "keys": key_ids},
        ).fetchall(),
    )
    marked = connection.execute(
        """
        DELETE FROM message_updates AS k
        WHERE k.key_id = ANY(%(keys)s)
            AND (k.chat_id = ANY(%(chats)s) OR k.sender = ANY(%(addresses)s) OR k.digest = ANY(%(digests)s))
        """,
        {**subject.sql_parameters, "chats": chat_ids, "keys": key_ids, "digests": [trace.digest for trace in told]},
    ).rowcount
    sent = connection.execute(
        """
        DELETE FROM sends AS s
        WHERE s.key_id = ANY(%(keys)s) AND s.timestamp <= %(upto)s
            AND (s.chat_id = ANY(%(chats)s) OR s.address = ANY(%(addresses)s))
        """,
        {**subject.sql_parameters, "chats": chat_ids, "keys": key_ids},
    ).rowcount
    linked_events.delete(connection, told, key_ids)
    place_of = {chat.chat_id: place for place, chat in located.items()}
    tombstones.add(
        connection,
        {
            key.hash_message(session_id, address, message_id)
            for session_id, message_id, chat_id in gone
            for address in (*subject.addresses, *([place_of[chat_id][1]] if chat_id in place_of else []))
        },
    )
    _refresh_chats(connection, key_ids, located, chat_ids)
    return ErasureStep(done, {"messages": len(gone), "updates": marked, "sends": sent, "bodies": len(told)})


def erase_updates(connection: Connection, subject: ErasureSubject, after: int) -> ErasureStep:
    """Erase the next of the marks in their chats, and of theirs in groups: reactions, edits, deletes, acks."""
    chat_ids = subject.chat_ids(connection)
    found = connection.execute(
        """
        SELECT k.key_id, k.digest
        FROM message_updates AS k
        JOIN message_keys AS n ON n.key_id = k.key_id
        JOIN sessions AS s ON s.session_number = n.session_number
        LEFT JOIN event_digests AS d ON d.digest = k.digest
        WHERE k.key_id > %(after)s AND k.key_id <= %(after)s + %(window)s
            AND (
                k.chat_id = ANY(%(chats)s)
                OR k.sender = ANY(%(addresses)s) AND (%(session)s::text IS NULL OR s.session_id = %(session)s)
            )
            AND (d.received_at IS NULL OR d.received_at <= %(upto)s)
        ORDER BY k.key_id
        FETCH FIRST %(batch)s ROWS WITH TIES
        """,
        {
            **subject.sql_parameters,
            "chats": chat_ids,
            "after": after,
            "window": linked_events.ID_WINDOW,
            "batch": linked_events.BATCH_SIZE,
        },
        binary=True,
    ).fetchall()
    ids = cast("Sequence[tuple[int, bytes]]", found)
    done = linked_events.last_erased_id(
        connection, "SELECT coalesce(max(k.key_id), 0) FROM message_updates AS k", [i for i, _ in ids], after
    )
    if not ids:
        return ErasureStep(done, {})
    named = sorted({key_id for key_id, _ in ids})
    digests = sorted({digest for _, digest in ids})
    told = [trace for trace in linked_events.linked_to_keys(connection, named) if trace.digest in set(digests)]
    key_ids = sorted({*named}.union(*(trace.key_ids for trace in told)))
    linked_events.lock_and_mark_erased(connection, digests, key_ids)
    located = chats.lock(connection, chats.addresses_of_keys(connection, key_ids))
    marked = connection.execute(
        "DELETE FROM message_updates AS k WHERE k.key_id = ANY(%s) AND k.digest = ANY(%s)", [key_ids, digests]
    ).rowcount
    linked_events.delete(connection, told, key_ids)
    _refresh_chats(connection, key_ids, located, chat_ids)
    return ErasureStep(done, {"updates": marked, "bodies": len(told)})


def _events_about_subject(
    connection: Connection, subject: ErasureSubject, chat_ids: Sequence[int], key_ids: set[int]
) -> list[LinkedEvent]:
    """The bodies that are about the person, of those that tell of these keys.

    A copy of a message in a group may not tell who wrote it: what tells of a message that is theirs is about them, but
    for what others did with it.
    """
    values = {**subject.sql_parameters, "chats": list(chat_ids), "keys": sorted(key_ids)}
    rows = connection.execute(
        """
        SELECT m.key_id, c.address, m.chat_id = ANY(%(chats)s) OR coalesce(m.sender = ANY(%(addresses)s), false)
        FROM whatsapp_messages AS m
        JOIN chats AS c USING (chat_id)
        WHERE m.key_id = ANY(%(keys)s)
        """,
        values,
    )
    of_others = connection.execute(
        """
        SELECT k.digest
        FROM message_updates AS k
        WHERE k.key_id = ANY(%(keys)s) AND NOT coalesce(k.chat_id = ANY(%(chats)s), true)
            AND NOT coalesce(k.sender = ANY(%(addresses)s), false)
        """,
        values,
        binary=True,
    )
    places: dict[int, dict[bool, set[bytes]]] = {key_id: {True: set(), False: set()} for key_id in key_ids}
    for key_id, address, is_theirs in cast("Iterable[tuple[int, str, bool]]", rows):
        places[key_id][is_theirs].add(address.partition("@")[0].encode())
    others = {digest for (digest,) in of_others}
    finder = subject.body_pattern()
    return [
        trace
        for trace in linked_events.linked_to_keys(connection, key_ids)
        if finder.search(trace.body)
        or (
            trace.digest not in others
            and all(_matches_subject_chat(places.get(key_id), trace.body) for key_id in trace.key_ids)
        )
    ]


def _matches_subject_chat(chat_users: Mapping[bool, Collection[bytes]] | None, body: bytes) -> bool:
    """Whether a body tells of a message that is theirs, where another has its id, in another chat; None: unknown."""
    if chat_users is None or not chat_users[False]:
        return chat_users is not None
    return any(place in body for place in chat_users[True]) and not any(place in body for place in chat_users[False])


def _refresh_chats(
    connection: Connection,
    key_ids: Sequence[int],
    located: Mapping[chats.ChatAddress, chats.Chat],
    chat_ids: Collection[int],
) -> None:
    """Bring what is left up to date, and tell readers of chats that are not the person's own."""
    message_updates.recompute(connection, sorted(key_ids))
    heads = {chat.canonical_chat_id: place[0] for place, chat in located.items()}
    if heads:
        chat_summaries.refresh(connection, dict.fromkeys(heads, 0), recount=heads)
    others = {head: session_id for head, session_id in heads.items() if head not in set(chat_ids)}
    told = [Change("merge", session_id, head) for head, session_id in sorted(others.items())]
    told += [
        Change("reaction", *chats.find_canonical(connection, chat_id), row_id)
        for row_id, chat_id in message_updates.find_visible(connection, sorted(key_ids))
        if chat_id not in set(chat_ids)
    ]
    changes.publish(connection, told)
