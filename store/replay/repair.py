"""Makes the real history what its shadow is, under the locks of the keys and chats concerned."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias, cast

from store.feed import changes
from store.feed.changes import Change
from store.history import chat_summaries, chats, message_updates, messages
from store.postgres import json_rows
from store.postgres.connections import Connection
from store.replay.diff import Found, Message
from store.replay.sources import Source

Head: TypeAlias = tuple[str, int]
"""(session_id, chat_id) of the chat that a message is shown in."""


def apply(connection: Connection, found: Found, sources: Iterable[Source]) -> None:
    """Bring rows, marks, chats and the feed up to date; the keys and chats of what was found are locked."""
    key_ids = sorted(found.keys)
    moves = found.moves()
    stay = {one.shadow: one.real for one in found.messages if one.shadow is not None and one.real is not None}
    made = [one for one in found.messages if one.was is None and one.shadow not in moves]
    gone = [one.real for one in found.messages if one.now is None and one.real not in moves.values()]
    before = _heads(connection, [one.real for one in found.messages if one.real is not None])
    read = _read_before(connection, made, sources)
    _delete(connection, gone)
    changed = stay | moves
    _change(connection, changed)
    added = _add(connection, [one.shadow for one in made if one.shadow is not None], read)
    _mark(connection, key_ids)
    settled = [one.id for one in message_updates.settle(connection, key_ids)]
    after = _heads(connection, [*changed.values(), *added, *settled])
    if heads := {head for _, head in (*before.values(), *after.values())}:
        chat_summaries.refresh(connection, dict.fromkeys(heads, 0), recount=heads)
    changes.publish(connection, _told(connection, found, before, after))


def _heads(connection: Connection, row_ids: Sequence[int | None]) -> dict[int, Head]:
    found = connection.execute(
        """
        SELECT m.id, c.session_id, coalesce(c.merged_into, c.chat_id)
        FROM whatsapp_messages AS m
        JOIN chats AS c USING (chat_id)
        WHERE m.id = ANY(%s)
        """,
        [row_ids],
    )
    return {row_id: (session_id, head) for row_id, session_id, head in cast("Iterable[tuple[int, str, int]]", found)}


def _told(connection: Connection, found: Found, before: Mapping[int, Head], after: Mapping[int, Head]) -> list[Change]:
    """What readers are told: each message that is another now, and each chat that a message left."""
    told = [Change("message", *after[row_id], row_id) for row_id in sorted(after)]
    left = {head for row_id, head in before.items() if after.get(row_id) != head}
    told += [Change("merge", *head) for head in sorted(left)]
    reacted = sorted({mark.key_id for mark in found.marks if mark.kind == "reaction"})
    return told + [
        Change("reaction", *chats.shown_in(connection, chat_id), row_id)
        for row_id, chat_id in message_updates.reacted(connection, reacted)
    ]


def _read_before(connection: Connection, made: Sequence[Message], sources: Iterable[Source]) -> list[int]:
    """Of the shadow's rows that are to be made, those whose event was another message before, and read as that."""
    links = {messages.tie(source.digest): source.links for source in sources if source.links}
    wanted = {
        one.shadow: links[tie]
        for one in made
        if one.shadow is not None and (tie := cast("int", one.either["content_tie"])) in links
    }
    if not wanted:
        return []
    found = connection.execute(
        """
        SELECT m.key_id
        FROM whatsapp_messages AS m
        WHERE m.key_id = ANY(%s) AND m.direction = 'incoming'
        GROUP BY m.key_id
        HAVING NOT bool_or(m.unread)
        """,
        [sorted({key_id for linked in wanted.values() for key_id in linked})],
    )
    read = {cast("int", key_id) for (key_id,) in found}
    return [shadow for shadow, linked in wanted.items() if linked & read]


def _delete(connection: Connection, row_ids: Sequence[int | None]) -> None:
    if row_ids:
        connection.execute("DELETE FROM searchable WHERE id = ANY(%s)", [row_ids])
        connection.execute("DELETE FROM whatsapp_messages WHERE id = ANY(%s)", [row_ids])


def _change(connection: Connection, rows_of: Mapping[int, int]) -> None:
    """Make real rows what their shadows are; what only they know stays: id, arrived, born, and whether it was read."""
    if not rows_of:
        return
    connection.execute(
        """
        UPDATE whatsapp_messages AS m
        SET key_id = s.key_id, chat_id = s.chat_id, session_id = s.session_id, message_id = s.message_id,
            direction = s.direction, message_type = s.message_type, raw_type = s.raw_type,
            content_state = s.content_state, message_text = s.message_text, caption = s.caption,
            media_url = s.media_url, mime_type = s.mime_type, file_name = s.file_name, reply_to = s.reply_to,
            sender = s.sender, sender_name = s.sender_name, status = s.status, base_status = s.base_status,
            timestamp = s.timestamp, time_source = s.time_source, content_rank = s.content_rank,
            content_time = s.content_time, content_tie = s.content_tie, original_text = s.original_text,
            edited_at = s.edited_at, deleted_at = s.deleted_at, collapsed = s.collapsed, rev = m.rev + 1,
            unread = CASE WHEN m.direction = s.direction THEN m.unread ELSE s.unread END,
            -- Our own side's number stays what it was when the row was made.
            from_number = CASE WHEN s.direction = 'incoming' OR m.direction <> s.direction
                THEN s.from_number ELSE m.from_number END,
            to_number = CASE WHEN s.direction = 'outgoing' OR m.direction <> s.direction
                THEN s.to_number ELSE m.to_number END
        FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (shadow bigint, real bigint)
        JOIN pg_temp.whatsapp_messages AS s ON s.id = r.shadow
        WHERE m.id = r.real
        """,
        {"rows": json_rows.document({"shadow": shadow, "real": real} for shadow, real in rows_of.items())},
    )


def _add(connection: Connection, shadows: Sequence[int], read: Sequence[int]) -> list[int]:
    """Make rows that the real history lacks; returns their ids."""
    if not shadows:
        return []
    added = connection.execute(
        """
        INSERT INTO whatsapp_messages (
            key_id, chat_id, session_id, message_id, direction, from_number, to_number, message_type, raw_type,
            content_state, message_text, caption, media_url, mime_type, file_name, reply_to, sender, sender_name,
            status, base_status, timestamp, time_source, arrived, content_rank, content_time, content_tie,
            original_text, edited_at, deleted_at, collapsed, unread
        )
        SELECT
            s.key_id, s.chat_id, s.session_id, s.message_id, s.direction, s.from_number, s.to_number, s.message_type,
            s.raw_type, s.content_state, s.message_text, s.caption, s.media_url, s.mime_type, s.file_name, s.reply_to,
            s.sender, s.sender_name, s.status, s.base_status, s.timestamp, s.time_source, s.arrived, s.content_rank,
            s.content_time, s.content_tie, s.original_text, s.edited_at, s.deleted_at, s.collapsed,
            s.unread AND NOT s.id = ANY(%(read)s)
        FROM pg_temp.whatsapp_messages AS s
        WHERE s.id = ANY(%(shadows)s)
        ORDER BY s.key_id, s.chat_id, s.direction
        RETURNING id
        """,
        {"shadows": shadows, "read": read},
    )
    return [cast("int", row_id) for (row_id,) in added]


def _mark(connection: Connection, key_ids: Sequence[int]) -> None:
    connection.execute(
        """
        DELETE FROM marks AS m
        WHERE m.key_id = ANY(%s) AND NOT EXISTS (
            SELECT FROM pg_temp.marks AS s WHERE s.key_id = m.key_id AND s.kind = m.kind AND s.digest = m.digest
        )
        """,
        [key_ids],
    )
    connection.execute(
        """
        INSERT INTO marks AS m (key_id, kind, digest, chat_id, direction, sender, marked_at, status, text)
        SELECT s.key_id, s.kind, s.digest, s.chat_id, s.direction, s.sender, s.marked_at, s.status, s.text
        FROM pg_temp.marks AS s
        WHERE s.key_id = ANY(%s)
        ORDER BY s.key_id, s.kind, s.digest
        ON CONFLICT (key_id, kind, digest) DO UPDATE
        SET chat_id = excluded.chat_id, direction = excluded.direction, sender = excluded.sender,
            marked_at = excluded.marked_at, status = excluded.status, text = excluded.text
        WHERE (m.chat_id, m.direction, m.sender, m.marked_at, m.status, m.text)
            IS DISTINCT FROM (excluded.chat_id, excluded.direction, excluded.sender, excluded.marked_at,
                excluded.status, excluded.text)
        """,
        [key_ids],
    )
