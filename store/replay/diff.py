"""Compares the real history with its shadow and describes the differences."""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, LiteralString, TypeAlias, cast

from store.model import message_columns
from store.postgres.connections import Connection
from store.replay.report import Difference
from store.replay.shadow import ShadowScope
from store.replay.sources import SourceEvent

ColumnValues: TypeAlias = Mapping[str, object]

_VISIBLE_COLUMNS: Final = (
    *(column.name for column in message_columns.CONTENT),
    *("sender", "sender_name", "number", "status", "timestamp", "time_source"),
    *("edited_at", "deleted_at", "is_duplicate"),
)
"""The columns that readers see, as opposed to those that choose between copies."""


@dataclass(frozen=True, slots=True)
class MessageDifference:
    """A message row that exists on one side only, or that differs."""

    key_id: int
    real_id: int | None
    """The id in the real history, or None if the row is missing there."""
    shadow_id: int | None
    """The id in the shadow, or None if no event contains the message."""
    before: ColumnValues | None
    after: ColumnValues | None

    @property
    def columns(self) -> ColumnValues:
        return self.before or self.after or {}

    @property
    def location(self) -> str:
        return " ".join(str(self.columns[name]) for name in ("session_id", "address", "direction", "message_id"))


@dataclass(frozen=True, slots=True)
class UpdateDifference:
    """An ack, edit, delete or reaction that exists on one side only, or that differs."""

    key_id: int
    location: str
    kind: str
    before: ColumnValues | None
    after: ColumnValues | None


@dataclass(frozen=True, slots=True)
class HistoryDiff:
    messages: Sequence[MessageDifference]
    updates: Sequence[UpdateDifference]

    @property
    def key_ids(self) -> set[int]:
        return {one.key_id for one in self.messages} | {one.key_id for one in self.updates}

    def moves(self) -> dict[int, int]:
        """Return, by new shadow row, the real row that is the same message in another chat or under another key.

        Two rows are the same message if their content came from the same event, or otherwise if they have the same id.
        Of several messages of one event, those with the same id or else the same text are the same. The row is moved,
        rather than deleted and inserted, to keep what only the real row contains: its id, when the message arrived and
        whether it was read.
        """
        surplus = {one.real_id: one for one in self.messages if one.after is None and one.real_id is not None}
        new = {one.shadow_id: one for one in self.messages if one.before is None and one.shadow_id is not None}
        moves: dict[int, int] = {}
        for same in (_event_and_id, _event_and_texts, _event, _key_identity):
            free: defaultdict[object, deque[int]] = defaultdict(deque)
            for real_id, one in surplus.items():
                free[same(one)].append(real_id)
            found = {shadow_id: free[same(one)].popleft() for shadow_id, one in new.items() if free[same(one)]}
            moves |= found
            for shadow_id, real_id in found.items():
                del new[shadow_id], surplus[real_id]
        return moves


def _event_and_id(one: MessageDifference) -> object:
    return one.columns["content_tie"], one.columns["message_id"], one.columns["direction"]


def _event_and_texts(one: MessageDifference) -> object:
    columns = one.columns
    texts = (columns["original_text"], columns["message_text"], columns["caption"], columns["timestamp"])
    return columns["content_tie"], texts


def _event(one: MessageDifference) -> object:
    return one.columns["content_tie"]


def _key_identity(one: MessageDifference) -> object:
    return one.key_id, one.columns["direction"]


def compare(connection: Connection, scope: ShadowScope) -> HistoryDiff:
    """Compare the real rows of these keys with their shadow rows."""
    keys = {"keys": list(scope.key_ids)}
    messages = [
        MessageDifference(*cast("tuple[int, int | None, int | None, ColumnValues | None, ColumnValues | None]", row))
        for row in connection.execute(_COMPARE_MESSAGES, keys)
    ]
    locations = {key.key_id: " ".join(message_key) for message_key, key in scope.locked_keys.items()}
    found = connection.execute(_COMPARE_UPDATES, keys)
    updates = [
        UpdateDifference(key_id, locations.get(key_id, f"key {key_id}"), kind, was, now)
        for key_id, kind, was, now in cast("Iterable[tuple[int, str, ColumnValues | None, ColumnValues | None]]", found)
    ]
    return HistoryDiff(messages, updates)


def describe(diff: HistoryDiff) -> Iterator[Difference]:
    """Yield the differences for the report."""
    moves = diff.moves()
    moved = set(moves.values())
    real_rows = {one.real_id: one for one in diff.messages if one.real_id in moved}
    for one in diff.messages:
        if one.shadow_id in moves:
            old = real_rows[moves[one.shadow_id]]
            yield Difference("message moved", old.location, old.location, one.location)
            yield from _describe_columns(old.location, old.columns, one.columns)
        elif one.before is None:
            yield Difference("message added", one.location, None, _summarize_message(one.columns))
        elif one.after is not None:
            yield from _describe_columns(one.location, one.before, one.after)
        elif one.real_id not in moved:
            yield Difference("message removed", one.location, _summarize_message(one.before), None)
    for update in diff.updates:
        effect = "added" if update.before is None else "removed" if update.after is None else "changed"
        digest = str((update.before or update.after or {})["digest"])
        before, after = _summarize_update(update.before), _summarize_update(update.after)
        yield Difference(f"{update.kind} {effect}", update.location, before, after, discriminator=digest)


def _describe_columns(location: str, before: ColumnValues, after: ColumnValues) -> Iterator[Difference]:
    shown = [name for name in _VISIBLE_COLUMNS if before[name] != after[name]]
    for name in shown:
        yield Difference(f"message {name}", location, before[name], after[name])
    if not shown:
        yield Difference("message origin", location, before["content_tie"], after["content_tie"])


def _summarize_message(columns: ColumnValues) -> str:
    return f"{columns['message_type']}: {columns['message_text'] or columns['caption'] or ''}"


def _summarize_update(columns: ColumnValues | None) -> str | None:
    if columns is None:
        return None
    return " ".join(str(columns[name]) for name in ("status", "text", "occurred_at") if columns[name] is not None)


def describe_event(source: SourceEvent) -> Difference | None:
    """Return the change of the event's outcome or reason, or None if there is none."""
    location = f"event {source.event_id}"
    if source.stored_outcome == "forgotten":
        return None
    if source.stored_outcome != source.outcome.kind:
        kind = f"event {source.stored_outcome} to {source.outcome.kind}"
        was = source.stored_reason[0] if source.stored_reason else source.stored_outcome
        return Difference(kind, location, was, source.outcome.reason or source.outcome.kind)
    if source.stored_reason != source.current_reason:
        was = None if source.stored_reason is None else source.stored_reason[0]
        return Difference(f"event {source.outcome.kind} for another reason", location, was, source.outcome.reason)
    return None


_COMPARED: LiteralString = f"""
    SELECT m.id, m.key_id, m.chat_id, c.address, m.session_id, m.direction, m.message_id,
        {message_columns.names((*message_columns.CONTENT, *message_columns.MERGED), "m")},
        {message_columns.names((*message_columns.CONTENT_RANK, *message_columns.RECOMPUTED), "m")},
        -- The number of our own side is the one that the session had reported when the row was inserted.
        CASE m.direction WHEN 'incoming' THEN m.from_number ELSE m.to_number END AS number
"""
_COMPARE_MESSAGES: LiteralString = f"""
    WITH real AS (
        {_COMPARED}
        FROM public.whatsapp_messages AS m
        JOIN public.chats AS c USING (chat_id)
        WHERE m.key_id = ANY(%(keys)s)
    ),
    shadow AS (
        {_COMPARED}
        FROM pg_temp.whatsapp_messages AS m
        LEFT JOIN pg_temp.chats AS c USING (chat_id)
    )
    SELECT key_id, r.id, s.id, to_jsonb(r), to_jsonb(s)
    FROM real AS r
    FULL JOIN shadow AS s USING (key_id, chat_id, direction)
    WHERE r.id IS NULL OR s.id IS NULL OR
        to_jsonb(r) - '{{id,address}}'::text[] IS DISTINCT FROM to_jsonb(s) - '{{id,address}}'::text[]
    ORDER BY key_id, r.id, s.id
"""
_COMPARE_UPDATES: LiteralString = f"""
    SELECT key_id, kind, to_jsonb(r), to_jsonb(s)
    FROM (
        SELECT {message_columns.names(message_columns.UPDATE, "m")}
        FROM message_updates AS m
        WHERE m.key_id = ANY(%(keys)s)
    ) AS r
    FULL JOIN (
        SELECT {message_columns.names(message_columns.UPDATE, "m")}
        FROM pg_temp.message_updates AS m
    ) AS s USING (key_id, kind, digest)
    WHERE to_jsonb(r) IS DISTINCT FROM to_jsonb(s)
    ORDER BY key_id, kind, digest
"""
