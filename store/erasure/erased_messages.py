"""Erases a person's messages, message updates and the raw events about them, a batch of keys per call.

A message and its raw events are deleted in one transaction, which also sets the outcome of the events to `forgotten`. A
concurrent replay therefore finds either all events of the message or none, and late copies count as duplicates. Locks
are taken in the order of every writer: digests, message keys, chats.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import cast

from store.erasure import linked_events, mentions, tombstones
from store.erasure.key_store import SuppressionKey
from store.erasure.linked_events import ErasureStep, LinkedEvent
from store.erasure.subjects import IS_MESSAGE_OF_SUBJECT, ErasureSubject
from store.feed import changes
from store.feed.changes import Change
from store.history.chats import chat_summaries, chats
from store.history.chats.chats import Chat
from store.history.messages import message_updates
from store.model import message_columns
from store.model.keys import ChatAddress
from store.postgres import errors
from store.postgres.connections import Connection


def erase(connection: Connection, key: SuppressionKey, subject: ErasureSubject, after: int) -> ErasureStep:
    """Erase the next messages in the person's chats and those that the person sent to groups."""
    chat_ids = subject.chat_ids(connection)
    cursor = connection.execute(
        f"""
        SELECT m.id, m.key_id
        FROM whatsapp_messages AS m
        WHERE m.id > %(after)s AND m.id <= %(after)s + %(window)s AND {IS_MESSAGE_OF_SUBJECT}
        ORDER BY m.id
        LIMIT %(limit)s
        """,
        {**subject.sql_parameters, **linked_events.step_parameters(after), "chats": chat_ids},
    )
    rows = cast("list[tuple[int, int]]", cursor.fetchall())
    last_id = linked_events.last_erased_id(
        connection, "SELECT coalesce(max(m.id), 0) FROM whatsapp_messages AS m", [row_id for row_id, _ in rows], after
    )
    if not rows:
        return ErasureStep(last_id, {})
    selected_keys = {key_id for _, key_id in rows}
    events = _events_about_subject(connection, subject, chat_ids, selected_keys)
    digests = [event.digest for event in events]
    key_ids = sorted(selected_keys.union(*(event.key_ids for event in events)))
    linked_events.lock_and_mark_erased(connection, digests, key_ids)
    if _events_about_subject(connection, subject, chat_ids, selected_keys) != events:
        raise errors.TransientError("The events of a message changed while the erasure waited for its lock.")
    locked_chats = chats.lock(connection, chats.addresses_of_keys(connection, key_ids))
    parameters = {
        **subject.sql_parameters,
        "chats": chat_ids,
        "keys": key_ids,
        "selected": sorted(selected_keys),
        "digests": digests,
    }
    deleted = connection.execute(
        """
        DELETE FROM whatsapp_messages AS m
        WHERE m.key_id = ANY(%(selected)s) AND m.receive_order <= %(received_until)s * 65536 + 65535
            AND (m.chat_id = ANY(%(chats)s) OR m.sender = ANY(%(addresses)s))
        RETURNING m.session_id, m.message_id, m.chat_id
        """,
        parameters,
    )
    erased = cast("list[tuple[str, str, int]]", deleted.fetchall())
    updates = connection.execute(
        f"""
        DELETE FROM message_updates AS u
        WHERE u.key_id = ANY(%(keys)s)
            AND (
                u.chat_id = ANY(%(chats)s) OR u.sender = ANY(%(addresses)s)
                -- Updates of other people's messages from the same events are kept.
                OR {message_columns.event_digest("u")} = ANY(%(digests)s) AND u.key_id = ANY(%(selected)s)
            )
        """,
        parameters,
    ).rowcount
    sends = connection.execute(
        """
        DELETE FROM sends AS s
        WHERE s.key_id = ANY(%(keys)s) AND s.timestamp <= %(received_until)s
            AND (s.chat_id = ANY(%(chats)s) OR s.address = ANY(%(addresses)s))
        """,
        parameters,
    ).rowcount
    linked_events.delete(connection, events, key_ids)
    address_of = {chat.chat_id: address for (_, address), chat in locked_chats.items()}
    tombstones.add(
        connection,
        {
            key.hash_message(session_id, address, message_id)
            for session_id, message_id, chat_id in erased
            for address in (*subject.addresses, *([address_of[chat_id]] if chat_id in address_of else []))
        },
    )
    _refresh_chats(connection, key_ids, locked_chats, chat_ids)
    counts = {"messages": len(erased), "updates": updates, "sends": sends, "raw_events": len(events)}
    return ErasureStep(last_id, counts)


def erase_updates(connection: Connection, subject: ErasureSubject, after: int) -> ErasureStep:
    """Erase the next message updates in the person's chats and those that the person sent to groups."""
    chat_ids = subject.chat_ids(connection)
    cursor = connection.execute(
        f"""
        SELECT u.key_id, {message_columns.event_digest("u")}
        FROM message_updates AS u
        JOIN message_keys AS k ON k.key_id = u.key_id
        JOIN sessions AS s ON s.session_number = k.session_number
        LEFT JOIN event_digests AS d ON d.digest = {message_columns.event_digest("u")}
        WHERE u.key_id > %(after)s AND u.key_id <= %(after)s + %(window)s
            AND (
                u.chat_id = ANY(%(chats)s)
                OR u.sender = ANY(%(addresses)s) AND (%(sessions)s::text[] IS NULL OR s.session_id = ANY(%(sessions)s))
            )
            AND (d.received_at IS NULL OR d.received_at <= %(received_until)s)
        ORDER BY u.key_id
        FETCH FIRST %(limit)s ROWS WITH TIES
        """,
        {**subject.sql_parameters, **linked_events.step_parameters(after), "chats": chat_ids},
        binary=True,
    )
    rows = cast("list[tuple[int, bytes]]", cursor.fetchall())
    last_id = linked_events.last_erased_id(
        connection, "SELECT coalesce(max(u.key_id), 0) FROM message_updates AS u", [key_id for key_id, _ in rows], after
    )
    if not rows:
        return ErasureStep(last_id, {})
    selected_keys = {key_id for key_id, _ in rows}
    digests = {digest for _, digest in rows}
    events = [event for event in linked_events.linked_to_keys(connection, selected_keys) if event.digest in digests]
    key_ids = sorted(selected_keys.union(*(event.key_ids for event in events)))
    linked_events.lock_and_mark_erased(connection, sorted(digests), key_ids)
    locked_chats = chats.lock(connection, chats.addresses_of_keys(connection, key_ids))
    updates = connection.execute(
        f"""
        DELETE FROM message_updates AS u
        WHERE u.key_id = ANY(%(keys)s) AND {message_columns.event_digest("u")} = ANY(%(digests)s)
            -- Updates by other people from the same events are kept.
            AND (u.chat_id = ANY(%(chats)s) OR u.sender = ANY(%(addresses)s))
        """,
        {**subject.sql_parameters, "chats": chat_ids, "keys": key_ids, "digests": sorted(digests)},
    ).rowcount
    linked_events.delete(connection, events, key_ids)
    _refresh_chats(connection, key_ids, locked_chats, chat_ids)
    return ErasureStep(last_id, {"updates": updates, "raw_events": len(events)})


def _events_about_subject(
    connection: Connection, subject: ErasureSubject, chat_ids: Sequence[int], key_ids: set[int]
) -> list[LinkedEvent]:
    """Return the raw events about the person, out of those that are linked to these keys.

    A copy of a group message may lack its sender. Every event about a message of the person therefore counts as being
    about the person, except for updates that others sent.
    """
    parameters = {**subject.sql_parameters, "chats": list(chat_ids), "keys": sorted(key_ids)}
    messages = connection.execute(
        """
        SELECT m.key_id, c.address, m.chat_id = ANY(%(chats)s) OR coalesce(m.sender = ANY(%(addresses)s), false)
        FROM whatsapp_messages AS m
        JOIN chats AS c USING (chat_id)
        WHERE m.key_id = ANY(%(keys)s)
        """,
        parameters,
    )
    updates_of_others = connection.execute(
        f"""
        SELECT {message_columns.event_digest("u")}
        FROM message_updates AS u
        WHERE u.key_id = ANY(%(keys)s) AND NOT coalesce(u.chat_id = ANY(%(chats)s), true)
            AND NOT coalesce(u.sender = ANY(%(addresses)s), false)
        """,
        parameters,
        binary=True,
    )
    # For each key, the chats with a message of the subject (True) and of another person (False).
    chat_users: dict[int, dict[bool, set[bytes]]] = {key_id: {True: set(), False: set()} for key_id in key_ids}
    for key_id, address, is_of_subject in cast("Iterable[tuple[int, str, bool]]", messages):
        chat_users[key_id][is_of_subject].add(address.partition("@")[0].encode())
    other_digests = {digest for (digest,) in updates_of_others}
    pattern = subject.mention_pattern()
    return [
        event
        for event in linked_events.linked_to_keys(connection, key_ids)
        if mentions.occurs(pattern, event.body)
        or (
            event.digest not in other_digests
            and any(_matches_subject_chat(chat_users.get(key_id), event.body) for key_id in event.key_ids)
        )
    ]


def _matches_subject_chat(chat_users: Mapping[bool, Collection[bytes]] | None, body: bytes) -> bool:
    """Return whether a body is about the subject's message, if a message in another chat has the same id.

    `chat_users` is None if the message is unknown.
    """
    if chat_users is None or not chat_users[False]:
        return chat_users is not None
    return any(user in body for user in chat_users[True]) and not any(user in body for user in chat_users[False])


def _refresh_chats(
    connection: Connection, key_ids: list[int], locked_chats: Mapping[ChatAddress, Chat], own_chats: Collection[int]
) -> None:
    """Recompute what remains and publish the changes of chats that are not the subject's own."""
    message_updates.recompute(connection, key_ids)
    sessions_by_chat = {chat.canonical_chat_id: session_id for (session_id, _), chat in locked_chats.items()}
    chat_summaries.recount(connection, sessions_by_chat)
    published = [
        Change("merge", session_id, chat_id)
        for chat_id, session_id in sorted(sessions_by_chat.items())
        if chat_id not in own_chats
    ]
    published += [
        Change("reaction", *chats.find_canonical(connection, chat_id), row_id)
        for row_id, chat_id in message_updates.find_visible_messages(connection, key_ids)
        if chat_id not in own_chats
    ]
    changes.publish(connection, published)
