"""Takes a person's messages, marks and raw bodies away, some at a time, in the locks' order of every writer.

A message and the bodies that told of it go in one transaction, in which the bodies' digests become `forgotten`: a
replay beside it finds all of its sources or none, and late copies are duplicates of something that says nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import cast

from store import changes, chats, errors, inbox, marks, searchable, tombs, traces
from store.changes import Change
from store.connect import Connection
from store.forgetkey import Key
from store.person import Person
from store.traces import Step


class MovedError(errors.TransientError):
    """Something came in between; nothing was done."""


def messages(connection: Connection, key: Key, person: Person, after: int) -> Step:
    """Erase the next of the messages in their chats, and of theirs in groups."""
    chat_ids = person.chat_ids(connection)
    found = connection.execute(
        """
        SELECT m.id, m.key_id
        FROM whatsapp_messages AS m
        WHERE m.id > %(after)s AND m.id <= %(after)s + %(window)s AND m.arrived <= %(upto)s * 65536 + 65535
            AND (
                m.chat_id = ANY(%(chats)s)
                OR m.sender = ANY(%(addresses)s) AND (%(session)s::text IS NULL OR m.session_id = %(session)s)
            )
        ORDER BY m.id
        LIMIT %(batch)s
        """,
        {**person.values, "chats": chat_ids, "after": after, "window": traces.WINDOW, "batch": traces.BATCH},
    ).fetchall()
    ids = cast("Sequence[tuple[int, int]]", found)
    done = traces.reached(
        connection, "SELECT coalesce(max(m.id), 0) FROM whatsapp_messages AS m", [i for i, _ in ids], after
    )
    if not ids:
        return Step(done, {})
    key_ids = sorted({key_id for _, key_id in ids})
    alone = _only_theirs(connection, person, chat_ids, key_ids)
    finder = person.finder()
    told = [body for key_id, body in traces.of_keys(connection, key_ids) if key_id in alone or finder.search(body.body)]
    traces.lock(connection, [body.digest for body in told], key_ids)
    if {b.event_id for k, b in traces.of_keys(connection, key_ids) if k in alone or finder.search(b.body)} != {
        body.event_id for body in told
    } or _only_theirs(connection, person, chat_ids, key_ids) != alone:
        raise MovedError("An event came in between")
    located = chats.lock(connection, chats.of_keys(connection, key_ids))
    searchable.take_out(connection, [row_id for row_id, _ in ids])
    gone = cast(
        "list[tuple[str, str, int]]",
        connection.execute(
            """
            DELETE FROM whatsapp_messages AS m
            WHERE m.key_id = ANY(%(keys)s) AND m.arrived <= %(upto)s * 65536 + 65535
                AND (m.chat_id = ANY(%(chats)s) OR m.sender = ANY(%(addresses)s))
            RETURNING m.session_id, m.message_id, m.chat_id
            """,
            {**person.values, "chats": chat_ids, "keys": key_ids},
        ).fetchall(),
    )
    marked = connection.execute(
        """
        DELETE FROM marks AS k
        WHERE k.key_id = ANY(%(keys)s)
            AND (k.chat_id = ANY(%(chats)s) OR k.sender = ANY(%(addresses)s) OR k.digest = ANY(%(digests)s))
        """,
        {**person.values, "chats": chat_ids, "keys": key_ids, "digests": [body.digest for body in told]},
    ).rowcount
    sent = connection.execute(
        """
        DELETE FROM sends AS s
        WHERE s.key_id = ANY(%(keys)s) AND s.timestamp <= %(upto)s
            AND (s.chat_id = ANY(%(chats)s) OR s.address = ANY(%(addresses)s))
        """,
        {**person.values, "chats": chat_ids, "keys": key_ids},
    ).rowcount
    traces.remove(connection, told, key_ids)
    place_of = {chat.chat_id: place for place, chat in located.items()}
    tombs.keep(
        connection,
        {
            key.of_message(session_id, address, message_id)
            for session_id, message_id, chat_id in gone
            for address in (*person.addresses, *([place_of[chat_id][1]] if chat_id in place_of else []))
        },
    )
    _show(connection, key_ids, located, chat_ids)
    return Step(done, {"messages": len(gone), "marks": marked, "sends": sent, "bodies": len(told)})


def said(connection: Connection, person: Person, after: int) -> Step:
    """Erase the next of the marks in their chats, and of theirs in groups: reactions, edits, deletes, acks."""
    chat_ids = person.chat_ids(connection)
    found = connection.execute(
        """
        SELECT k.key_id, k.digest
        FROM marks AS k
        JOIN keys AS n ON n.key_id = k.key_id
        JOIN sessions AS s ON s.session = n.session
        LEFT JOIN digests AS d ON d.digest = k.digest
        WHERE k.key_id > %(after)s AND k.key_id <= %(after)s + %(window)s
            AND (
                k.chat_id = ANY(%(chats)s)
                OR k.sender = ANY(%(addresses)s) AND (%(session)s::text IS NULL OR s.session_id = %(session)s)
            )
            AND (d.received_at IS NULL OR d.received_at <= %(upto)s)
        ORDER BY k.key_id
        FETCH FIRST %(batch)s ROWS WITH TIES
        """,
        {**person.values, "chats": chat_ids, "after": after, "window": traces.WINDOW, "batch": traces.BATCH},
        binary=True,
    ).fetchall()
    ids = cast("Sequence[tuple[int, bytes]]", found)
    done = traces.reached(connection, "SELECT coalesce(max(k.key_id), 0) FROM marks AS k", [i for i, _ in ids], after)
    if not ids:
        return Step(done, {})
    key_ids = sorted({key_id for key_id, _ in ids})
    digests = sorted({digest for _, digest in ids})
    traces.lock(connection, digests, key_ids)
    told = [body for _, body in traces.of_keys(connection, key_ids) if body.digest in set(digests)]
    located = chats.lock(connection, chats.of_keys(connection, key_ids))
    marked = connection.execute(
        "DELETE FROM marks AS k WHERE k.key_id = ANY(%s) AND k.digest = ANY(%s)", [key_ids, digests]
    ).rowcount
    traces.remove(connection, told, key_ids)
    _show(connection, key_ids, located, chat_ids)
    return Step(done, {"marks": marked, "bodies": len(told)})


def _only_theirs(connection: Connection, person: Person, chat_ids: Sequence[int], key_ids: Sequence[int]) -> set[int]:
    """The keys under which nothing is kept but what is the person's: whatever tells of them is about the person."""
    found = connection.execute(
        """
        SELECT n.key_id
        FROM unnest(%(keys)s::bigint[]) AS n (key_id)
        WHERE NOT EXISTS (
                SELECT FROM whatsapp_messages AS m
                WHERE m.key_id = n.key_id AND NOT m.chat_id = ANY(%(chats)s)
                    AND NOT coalesce(m.sender = ANY(%(addresses)s), false)
            )
            AND NOT EXISTS (
                SELECT FROM marks AS k
                WHERE k.key_id = n.key_id AND NOT coalesce(k.chat_id = ANY(%(chats)s), true)
                    AND NOT coalesce(k.sender = ANY(%(addresses)s), false)
            )
        """,
        {**person.values, "chats": list(chat_ids), "keys": list(key_ids)},
    )
    return {cast("int", key_id) for (key_id,) in found}


def _show(
    connection: Connection,
    key_ids: Sequence[int],
    located: Mapping[chats.Place, chats.Chat],
    chat_ids: Collection[int],
) -> None:
    """Bring what is left up to date, and tell readers of chats that are not the person's own."""
    marks.settle(connection, sorted(key_ids))
    heads = {chat.head: place[0] for place, chat in located.items()}
    if heads:
        inbox.refresh(connection, dict.fromkeys(heads, 0), recount=heads)
    others = {head: session_id for head, session_id in heads.items() if head not in set(chat_ids)}
    told = [Change("merge", session_id, head) for head, session_id in sorted(others.items())]
    told += [
        Change("reaction", *chats.shown_in(connection, chat_id), row_id)
        for row_id, chat_id in marks.reacted(connection, sorted(key_ids))
        if chat_id not in set(chat_ids)
    ]
    changes.publish(connection, told)
