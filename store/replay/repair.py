"""Changes the real history to match its shadow. The caller has locked the keys and chats."""

from collections.abc import Iterable, Mapping, Sequence
from typing import LiteralString, TypeAlias, cast

from store.feed import changes
from store.feed.changes import Change
from store.history.chats import chat_summaries, chats
from store.history.messages import message_updates, messages
from store.model import message_columns
from store.postgres import json_rows
from store.postgres.connections import Connection
from store.replay.diff import HistoryDiff, MessageDifference
from store.replay.sources import SourceEvent

CanonicalChat: TypeAlias = tuple[str, int]
"""(session_id, chat_id) of the chat in which a message is shown."""


def apply(connection: Connection, diff: HistoryDiff, sources: Iterable[SourceEvent]) -> None:
    """Update messages, updates, chat summaries and the change feed."""
    key_ids = sorted(diff.key_ids)
    moves = diff.moves()
    ids = [(one.shadow_id, one.real_id) for one in diff.messages]
    kept = {shadow: real for shadow, real in ids if shadow is not None and real is not None}
    new_rows = [one for one in diff.messages if one.before is None and one.shadow_id not in moves]
    removed = [one.real_id for one in diff.messages if one.after is None and one.real_id not in moves.values()]
    before = _canonical_chats(connection, [real for _, real in ids if real is not None])
    read = _find_read_rows(connection, new_rows, sources)
    _delete_messages(connection, removed)
    changed = kept | moves
    _update_messages(connection, changed)
    added = _insert_messages(connection, [one.shadow_id for one in new_rows if one.shadow_id is not None], read)
    _replace_updates(connection, key_ids)
    recomputed = [one.row_id for one in message_updates.recompute(connection, key_ids)]
    after = _canonical_chats(connection, [*changed.values(), *added, *recomputed])
    chat_summaries.recount(connection, {chat_id for _, chat_id in (*before.values(), *after.values())})
    changes.publish(connection, _feed_changes(connection, diff, before, after))


def _canonical_chats(connection: Connection, row_ids: Sequence[int | None]) -> dict[int, CanonicalChat]:
    found = connection.execute(
        """
        SELECT m.id, c.session_id, c.canonical_chat_id
        FROM whatsapp_messages AS m
        JOIN chats AS c USING (chat_id)
        WHERE m.id = ANY(%s)
        """,
        [row_ids],
    )
    rows = cast("Iterable[tuple[int, str, int]]", found)
    return {row_id: (session_id, chat_id) for row_id, session_id, chat_id in rows}


def _feed_changes(
    connection: Connection, diff: HistoryDiff, before: Mapping[int, CanonicalChat], after: Mapping[int, CanonicalChat]
) -> list[Change]:
    """Return a change for each message that differs and for each chat that a message left."""
    published = [Change("message", *after[row_id], row_id) for row_id in sorted(after)]
    left = {chat for row_id, chat in before.items() if after.get(row_id) != chat}
    published += [Change("merge", *chat) for chat in sorted(left)]
    reacted = sorted({update.key_id for update in diff.updates if update.kind == "reaction"})
    return published + [
        Change("reaction", *chats.find_canonical(connection, chat_id), row_id)
        for row_id, chat_id in message_updates.find_visible_messages(connection, reacted)
    ]


def _find_read_rows(
    connection: Connection, new_rows: Sequence[MessageDifference], sources: Iterable[SourceEvent]
) -> list[int]:
    """Return the new shadow rows whose event used to be another message, which was read."""
    links = {messages.content_tiebreaker(source.digest): source.linked_key_ids for source in sources}
    wanted = {
        # If the event was about several messages, only the one with the same key is known to have become this one.
        one.shadow_id: links[tie] if len(links[tie]) == 1 else links[tie] & {one.key_id}
        for one in new_rows
        if one.shadow_id is not None and (tie := cast("int", one.columns["content_tie"])) in links
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


def _delete_messages(connection: Connection, row_ids: Sequence[int | None]) -> None:
    if row_ids:
        connection.execute("DELETE FROM whatsapp_messages WHERE id = ANY(%s)", [row_ids])


def _update_messages(connection: Connection, real_by_shadow: Mapping[int, int]) -> None:
    """Update real rows to match their shadow rows.

    They keep what only they contain: their id, when they arrived and were created, and whether they were read.
    """
    if real_by_shadow:
        rows = json_rows.encode({"shadow": shadow, "real": real} for shadow, real in real_by_shadow.items())
        connection.execute(_UPDATE_MESSAGES, {"rows": rows})


def _insert_messages(connection: Connection, shadow_ids: Sequence[int], read_shadow_ids: Sequence[int]) -> list[int]:
    """Insert rows that the real history lacks and return their ids."""
    added = connection.execute(_INSERT_MESSAGES, {"shadows": shadow_ids, "read": read_shadow_ids})
    return [cast("int", row_id) for (row_id,) in added]


def _replace_updates(connection: Connection, key_ids: Sequence[int]) -> None:
    connection.execute(
        """
        DELETE FROM message_updates AS m
        WHERE m.key_id = ANY(%s) AND NOT EXISTS (
            SELECT FROM pg_temp.message_updates AS s WHERE (s.key_id, s.kind, s.digest) = (m.key_id, m.kind, m.digest)
        )
        """,
        [key_ids],
    )
    connection.execute(_REPLACE_UPDATES, [key_ids])


_KEPT = ("from_number", "to_number", "receive_order")
_REWRITTEN = tuple(column for column in message_columns.STORED if column.name not in _KEPT)
_UPDATE_MESSAGES: LiteralString = f"""
    UPDATE whatsapp_messages AS m
    SET {message_columns.assignments(_REWRITTEN, "s")}, rev = m.rev + 1,
        unread = CASE
            WHEN m.direction <> s.direction THEN s.unread
            -- A notice of a group is never unread, but it may no longer count as a notice.
            WHEN c.kind = 'group' AND (m.message_type = 'system') <> (s.message_type = 'system') THEN s.unread
            ELSE m.unread
        END,
        -- The number of our own side remains that of the time when the row was inserted.
        from_number = CASE WHEN s.direction = 'incoming' OR m.direction <> s.direction
            THEN s.from_number ELSE m.from_number END,
        to_number = CASE WHEN s.direction = 'outgoing' OR m.direction <> s.direction
            THEN s.to_number ELSE m.to_number END
    FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (shadow bigint, real bigint)
    JOIN pg_temp.whatsapp_messages AS s ON s.id = r.shadow
    JOIN chats AS c ON c.chat_id = s.chat_id
    WHERE m.id = r.real
"""
_INSERT_MESSAGES: LiteralString = f"""
    INSERT INTO whatsapp_messages ({message_columns.names(message_columns.STORED)}, unread)
    SELECT {message_columns.names(message_columns.STORED, "s")}, s.unread AND NOT s.id = ANY(%(read)s)
    FROM pg_temp.whatsapp_messages AS s
    WHERE s.id = ANY(%(shadows)s)
    ORDER BY s.key_id, s.chat_id, s.direction
    RETURNING id
"""

_UPDATE_VALUES = tuple(column for column in message_columns.UPDATE if column.name not in ("key_id", "kind", "digest"))
_REPLACE_UPDATES: LiteralString = f"""
    INSERT INTO message_updates AS m ({message_columns.names(message_columns.UPDATE)})
    SELECT {message_columns.names(message_columns.UPDATE, "s")}
    FROM pg_temp.message_updates AS s
    WHERE s.key_id = ANY(%s)
    ORDER BY s.key_id, s.kind, s.digest
    ON CONFLICT (key_id, kind, digest) DO UPDATE
    SET {message_columns.assignments(_UPDATE_VALUES, "excluded")}
    WHERE ({message_columns.names(_UPDATE_VALUES, "m")})
        IS DISTINCT FROM ({message_columns.names(_UPDATE_VALUES, "excluded")})
"""
