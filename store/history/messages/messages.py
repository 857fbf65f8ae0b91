"""Inserts messages and merges further copies into the same row, keeping the best content."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Final, LiteralString, NamedTuple, TypeAlias, cast

from store.history.messages import new_messages
from store.model import message_columns, timestamps
from store.model.facts import ContentState, Direction, Message, Status
from store.postgres import json_rows
from store.postgres.connections import Connection

MessageIdentity: TypeAlias = tuple[int, int, Direction]
"""(key_id, chat_id, direction): the identity of a row."""


class MessageCopy(NamedTuple):
    """One copy of a message as a row. It is a tuple for speed, because there is one for every event."""

    key_id: int
    chat_id: int
    session_id: str
    message_id: str
    direction: Direction
    from_number: str | None
    to_number: str | None
    content: tuple[object, ...]
    """The values of `message_columns.CONTENT`."""
    sender: str | None
    sender_name: str | None
    base_status: Status | None
    timestamp: int
    time_source: timestamps.TimeSource
    is_history: bool
    receive_order: int
    content_rank: int
    content_time: int
    content_tie: int
    is_in_group: bool

    @property
    def identity(self) -> MessageIdentity:
        return self.key_id, self.chat_id, self.direction

    @property
    def is_notice(self) -> bool:
        """True if WhatsApp itself wrote the message in a group. It counts neither as unread nor as waiting."""
        return self.is_in_group and self.content[_TYPE_FIELD] == "system"

    @property
    def is_unread(self) -> bool:
        """True if somebody has to read the message, provided that this is its only copy."""
        return self.direction == "incoming" and not self.is_notice and not self.is_history

    def values(self) -> tuple[object, ...]:
        """Return the values of `message_columns.COPY`, then `is_in_group`."""
        return (*self[:_CONTENT_FIELD], *self.content, *self[_CONTENT_FIELD + 1 :])

    def new_row(self) -> tuple[object, ...]:
        """Return the values of `new_messages.COLUMNS`, provided that this is the message's only copy."""
        before, after = self[:_CONTENT_FIELD], self[_CONTENT_FIELD + 1 : -1]
        return (*before, *self.content, *after, self.base_status, self.is_unread)


def _to_json_row(copy: MessageCopy) -> json_rows.JsonRow:
    # A third of the columns is null. Leaving them out saves time on both sides.
    return {name: value for name, value in zip(_COPY_NAMES, copy.values(), strict=True) if value is not None}


_CONTENT_FIELD = MessageCopy._fields.index("content")
_COPY_NAMES = (*(column.name for column in message_columns.COPY), "is_in_group")
_TYPE_FIELD = [column.field for column in message_columns.CONTENT].index("type")
content_of: Callable[[Message], tuple[object, ...]] = attrgetter(*(column.field for column in message_columns.CONTENT))
"""The values of `message_columns.CONTENT`."""


@dataclass(frozen=True, slots=True)
class ChangedMessage:
    """A row that was changed by a statement."""

    row_id: int
    chat_id: int
    became_unread: bool = False


_RANKS: Final[dict[ContentState, int]] = {"undecrypted": 0, "media_missing": 2, "complete": 4}


def rank(message: Message) -> int:
    """Return the completeness of the content. A copy of lower rank never replaces one of higher rank."""
    if message.text or message.caption or message.media_url:
        return _RANKS[message.content_state] + 1
    if message.type in ("unknown", "text") or message.raw_type is None:
        # Any copy that contains what was sent is better.
        return min(_RANKS[message.content_state], 1)
    return _RANKS[message.content_state]


def content_tiebreaker(digest: bytes) -> int:
    """Return the first 8 bytes of a digest as a bigint that sorts like the digest. It breaks ties between copies."""
    return int.from_bytes(digest[:8]) - 2**63


def upsert(
    connection: Connection, copies: Iterable[MessageCopy], new_key_ids: Collection[int]
) -> tuple[list[tuple[int, MessageCopy]], list[ChangedMessage]]:
    """Insert or merge the rows of these copies, whose keys and chats are locked.

    `new_key_ids` are the keys that this transaction inserted: no row with them can exist.

    Returns the inserted rows as (row id, copy), and the changed rows.
    """
    inserted_rows: list[tuple[int, MessageCopy]] = []
    changed: list[ChangedMessage] = []
    for number, layer in enumerate(_conflict_free_layers(copies)):
        rest: Sequence[MessageCopy] = layer
        if number == 0:
            inserted_rows, rest = _insert(connection, [copy for copy in layer if copy.key_id not in new_key_ids])
            inserted_rows += _copy_new(connection, [copy for copy in layer if copy.key_id in new_key_ids])
        if rest:
            changed += _merge(connection, rest)
    return inserted_rows, changed


def _conflict_free_layers(copies: Iterable[MessageCopy]) -> list[list[MessageCopy]]:
    """Divide the copies into layers with one copy per row, because a statement can change a row only once."""
    layers: list[list[MessageCopy]] = []
    depth: dict[MessageIdentity, int] = {}
    for copy in copies:
        identity = copy.identity
        level = depth.get(identity, 0)
        depth[identity] = level + 1
        if level == len(layers):
            layers.append([])
        layers[level].append(copy)
    return layers


def _insert(
    connection: Connection, copies: Sequence[MessageCopy]
) -> tuple[list[tuple[int, MessageCopy]], list[MessageCopy]]:
    """Insert the copies. Return the inserted rows, and the copies whose rows already exist."""
    if not copies:
        return [], []
    inserted = connection.execute(
        _INSERT,
        {"rows": json_rows.encode(_to_json_row(copy) for copy in copies)},
    )
    by_identity = {copy.identity: copy for copy in copies}
    inserted_rows = [
        (row_id, by_identity.pop((key_id, chat_id, direction)))
        for row_id, key_id, chat_id, direction in cast("list[tuple[int, int, int, Direction]]", inserted.fetchall())
    ]
    return inserted_rows, list(by_identity.values())


def _copy_new(connection: Connection, copies: Iterable[MessageCopy]) -> list[tuple[int, MessageCopy]]:
    """Insert the copies, whose rows cannot exist yet. Return the inserted rows."""
    # In the order of identity: the key and the chat determine the fields before the direction.
    ordered = sorted(copies)
    return list(zip(new_messages.copy(connection, [copy.new_row() for copy in ordered]), ordered, strict=True))


def _merge(connection: Connection, copies: Sequence[MessageCopy]) -> list[ChangedMessage]:
    document = json_rows.encode(_to_json_row(copy) for copy in copies)
    # Content is one tuple and is never mixed from two copies. A better copy also overwrites the text of an edit, which
    # message_updates.recompute applies again.
    replaced = connection.execute(
        _REPLACE_CONTENT,
        {"rows": document},
    )
    changed = [ChangedMessage(*row) for row in cast("Iterable[tuple[int, int]]", replaced)]
    # The other columns are merged one by one: the least time, and the greatest value of the rest.
    merged = connection.execute(
        """
        UPDATE whatsapp_messages AS m
        SET timestamp = n.timestamp, time_source = n.time_source, base_status = n.base_status,
            sender = n.sender, sender_name = n.sender_name, from_number = n.from_number, is_history = n.is_history,
            unread = m.unread OR n.became_unread, rev = m.rev + 1
        FROM (
            SELECT m.id,
                least(m.timestamp, r.timestamp) AS timestamp,
                CASE
                    WHEN (m.timestamp, m.time_source) <= (r.timestamp, r.time_source) THEN m.time_source
                    ELSE r.time_source
                END AS time_source,
                status_from_rank(greatest(status_rank(m.base_status), status_rank(r.base_status))) AS base_status,
                greatest(m.sender, r.sender) AS sender,
                greatest(m.sender_name, r.sender_name) AS sender_name,
                -- In a group, only some copies have the sender's number. Our own number does not change.
                CASE m.direction
                    WHEN 'incoming' THEN greatest(m.from_number, r.from_number)
                    ELSE m.from_number
                END AS from_number,
                m.is_history AND r.is_history AS is_history,
                m.is_history AND NOT r.is_history AND m.direction = 'incoming'
                    AND NOT (r.is_in_group AND m.message_type = 'system') AS became_unread
            FROM json_to_recordset(%(rows)s::json) AS r (
                key_id bigint, chat_id bigint, direction text, timestamp bigint, time_source text, base_status text,
                sender text, sender_name text, from_number text, is_history boolean, is_in_group boolean
            )
            JOIN whatsapp_messages AS m USING (key_id, chat_id, direction)
        ) AS n
        WHERE m.id = n.id
            AND (m.timestamp, m.time_source, m.base_status, m.sender, m.sender_name, m.from_number, m.is_history)
                IS DISTINCT FROM
                (n.timestamp, n.time_source, n.base_status, n.sender, n.sender_name, n.from_number, n.is_history)
        RETURNING m.id, m.chat_id, n.became_unread
        """,
        {"rows": document},
    )
    return changed + [ChangedMessage(*row) for row in cast("Iterable[tuple[int, int, bool]]", merged)]


_INSERT: LiteralString = f"""
    INSERT INTO whatsapp_messages ({message_columns.names(message_columns.COPY)}, status, unread)
    SELECT {message_columns.names(message_columns.COPY, "r")}, r.base_status,
        -- Nobody has to read notices of a group or messages from the past.
        r.direction = 'incoming' AND NOT (r.is_in_group AND r.message_type = 'system') AND NOT r.is_history
    FROM json_to_recordset(%(rows)s::json)
        AS r ({message_columns.declarations(message_columns.COPY)}, is_in_group boolean)
    ORDER BY r.key_id, r.chat_id, r.direction
    ON CONFLICT (key_id, chat_id, direction) DO NOTHING
    RETURNING id, key_id, chat_id, direction
"""

_REPLACED = (*message_columns.CONTENT, *message_columns.CONTENT_RANK)
_REPLACE_CONTENT: LiteralString = f"""
    UPDATE whatsapp_messages AS m
    SET {message_columns.assignments(_REPLACED, "r")}, original_text = NULL, edited_at = NULL, rev = m.rev + 1,
        unread = CASE
            WHEN r.is_in_group AND (m.message_type = 'system') <> (r.message_type = 'system')
            THEN m.direction = 'incoming' AND r.message_type <> 'system' AND NOT m.is_history
            ELSE m.unread
        END
    FROM json_to_recordset(%(rows)s::json) AS r (
        key_id bigint, chat_id bigint, direction text, is_in_group boolean, {message_columns.declarations(_REPLACED)}
    )
    WHERE m.key_id = r.key_id AND m.chat_id = r.chat_id AND m.direction = r.direction
        AND (m.content_rank, -m.content_time, -m.content_tie) < (r.content_rank, -r.content_time, -r.content_tie)
    RETURNING m.id, m.chat_id
"""
