"""Where the real history and its shadow differ."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, cast

from store.postgres.connections import Connection
from store.replay.report import Difference
from store.replay.shadow import Ground
from store.replay.sources import Source

Columns: TypeAlias = Mapping[str, object]

_SHOWN: Final = (
    *("message_type", "raw_type", "content_state", "message_text", "caption", "media_url", "mime_type", "file_name"),
    *("reply_to", "sender", "sender_name", "status", "timestamp", "time_source", "edited_at", "deleted_at"),
    *("collapsed", "number"),
)
"""What of a message readers see; what they do not see only decides it."""


@dataclass(frozen=True, slots=True)
class Message:
    """A row that is not as its sources have it: of one side, or on both and different."""

    key_id: int
    real: int | None
    """The row's id in the real history; None where it lacks."""
    shadow: int | None
    """The row's id in the shadow; None where no source tells of it."""
    was: Columns | None
    now: Columns | None

    @property
    def either(self) -> Columns:
        columns = self.now if self.was is None else self.was
        assert columns is not None, "one side is there"
        return columns

    @property
    def where(self) -> str:
        return " ".join(str(self.either[name]) for name in ("session_id", "address", "direction", "message_id"))


@dataclass(frozen=True, slots=True)
class Mark:
    """An ack, edit, delete or reaction that only one side has, or that differs."""

    key_id: int
    where: str
    kind: str
    was: Columns | None
    now: Columns | None


@dataclass(frozen=True, slots=True)
class Found:
    messages: Sequence[Message]
    marks: Sequence[Mark]

    @property
    def keys(self) -> set[int]:
        return {one.key_id for one in self.messages} | {one.key_id for one in self.marks}

    def moves(self) -> dict[int, int]:
        """Per shadow row that the real history lacks, the real row that is the same message at another place.

        It is the same where the same event gave its content, or else where it has the same id. Moving instead of
        deleting and making keeps what only the real row knows: when it arrived, and whether it was read.
        """
        surplus = [one for one in self.messages if one.now is None]
        moves: dict[int, int] = {}
        for same in (_by_content, _by_key):
            free = {same(one): one for one in reversed(surplus) if one.real not in moves.values()}
            for one in self.messages:
                if one.was is None and one.shadow not in moves and (old := free.pop(same(one), None)):
                    assert old.real is not None
                    assert one.shadow is not None
                    moves[one.shadow] = old.real
        return moves


def _by_content(one: Message) -> object:
    return one.either["content_tie"]


def _by_key(one: Message) -> object:
    return one.key_id, one.either["direction"]


def find(connection: Connection, ground: Ground) -> Found:
    """Compare what is kept of these keys with their shadow, which knows keys and chats that are not there yet."""
    addresses = {chat.chat_id: address for (_, address), chat in ground.located.items()}
    names = {key.key_id: f"{name[0]} {name[1]}" for name, key in ground.named.items()}
    keys = {"keys": list(ground.key_ids)}
    found = connection.execute(
        """
        WITH real AS (
            SELECT m.id, m.key_id, m.chat_id, m.session_id, c.address, m.direction, m.message_id,
                m.message_type, m.raw_type, m.content_state, m.message_text, m.caption, m.media_url, m.mime_type,
                m.file_name, m.reply_to, m.sender, m.sender_name, m.status, m.base_status, m.timestamp, m.time_source,
                m.content_rank, m.content_time, m.content_tie, m.original_text, m.edited_at, m.deleted_at, m.collapsed,
                -- Our own side's number is what the session had reported when the row was made.
                CASE m.direction WHEN 'incoming' THEN m.from_number ELSE m.to_number END AS number
            FROM whatsapp_messages AS m
            JOIN chats AS c USING (chat_id)
            WHERE m.key_id = ANY(%(keys)s)
        ),
        shadow AS (
            SELECT m.id, m.key_id, m.chat_id, m.session_id, m.direction, m.message_id,
                m.message_type, m.raw_type, m.content_state, m.message_text, m.caption, m.media_url, m.mime_type,
                m.file_name, m.reply_to, m.sender, m.sender_name, m.status, m.base_status, m.timestamp, m.time_source,
                m.content_rank, m.content_time, m.content_tie, m.original_text, m.edited_at, m.deleted_at, m.collapsed,
                CASE m.direction WHEN 'incoming' THEN m.from_number ELSE m.to_number END AS number
            FROM pg_temp.whatsapp_messages AS m
        )
        SELECT key_id, r.id, s.id, to_jsonb(r), to_jsonb(s)
        FROM real AS r
        FULL JOIN shadow AS s USING (key_id, chat_id, direction)
        WHERE r.id IS NULL OR s.id IS NULL OR
            to_jsonb(r) - '{id,address}'::text[] IS DISTINCT FROM to_jsonb(s) - 'id'
        ORDER BY key_id, r.id, s.id
        """,
        keys,
    ).fetchall()
    messages = [
        Message(key_id, real, shadow, was, now and {"address": addresses.get(cast("int", now["chat_id"])), **now})
        for key_id, real, shadow, was, now in cast(
            "Iterable[tuple[int, int | None, int | None, Columns | None, Columns | None]]", found
        )
    ]
    marked = connection.execute(
        """
        SELECT key_id, kind, to_jsonb(r), to_jsonb(s)
        FROM (
            SELECT m.key_id, m.kind, m.digest, m.chat_id, m.direction, m.sender, m.marked_at, m.status, m.text
            FROM marks AS m
            WHERE m.key_id = ANY(%(keys)s)
        ) AS r
        FULL JOIN (
            SELECT m.key_id, m.kind, m.digest, m.chat_id, m.direction, m.sender, m.marked_at, m.status, m.text
            FROM pg_temp.marks AS m
        ) AS s USING (key_id, kind, digest)
        WHERE to_jsonb(r) IS DISTINCT FROM to_jsonb(s)
        ORDER BY key_id, kind, digest
        """,
        keys,
    ).fetchall()
    marks = [
        Mark(key_id, names.get(key_id, f"key {key_id}"), kind, was, now)
        for key_id, kind, was, now in cast("Iterable[tuple[int, str, Columns | None, Columns | None]]", marked)
    ]
    return Found(messages, marks)


def told(found: Found) -> Iterator[Difference]:
    """The differences in words."""
    moves = found.moves()
    moved = set(moves.values())
    olds = {one.real: one for one in found.messages if one.real in moved}
    for one in found.messages:
        if one.shadow in moves:
            old = olds[moves[one.shadow]]
            yield Difference("message moved", old.where, old.where, one.where)
            yield from _columns(old.where, old.either, one.either)
        elif one.was is None:
            yield Difference("message added", one.where, None, _gist(one.either))
        elif one.now is not None:
            yield from _columns(one.where, one.was, one.now)
        elif one.real not in moved:
            yield Difference("message removed", one.where, _gist(one.was), None)
    for mark in found.marks:
        what = "added" if mark.was is None else "removed" if mark.now is None else "changed"
        either = mark.was or mark.now or {}
        yield Difference(
            f"{mark.kind} {what}", mark.where, _said(mark.was), _said(mark.now), which=str(either["digest"])
        )


def _columns(where: str, was: Columns, now: Columns) -> Iterator[Difference]:
    shown = [name for name in _SHOWN if was[name] != now[name]]
    for name in shown:
        yield Difference(f"message {name}", where, was[name], now[name])
    if not shown:
        yield Difference("message origin", where, was["content_tie"], now["content_tie"])


def _gist(columns: Columns) -> str:
    return f"{columns['message_type']}: {columns['message_text'] or columns['caption'] or ''}"


def _said(columns: Columns | None) -> str | None:
    if columns is None:
        return None
    return " ".join(str(columns[name]) for name in ("status", "text", "marked_at") if columns[name] is not None)


def of_event(source: Source) -> Difference | None:
    """What the event is taken for, where that is something else now."""
    where = f"event {source.event_id}"
    if source.was == "forgotten":
        return None
    if source.was != source.outcome.kind:
        was = source.parked[0] if source.parked else source.was
        return Difference(
            f"event {source.was} to {source.outcome.kind}", where, was, source.outcome.reason or source.outcome.kind
        )
    if source.parked is not None and source.parked != source.reasons:
        return Difference("event parked for another reason", where, source.parked[0], source.outcome.reason)
    return None
