"""Sends: recorded before the gateway is asked, completed with what it answered.

A send becomes a message when its WhatsApp id is known, by the fold that every event goes through: so answer,
`message.sent` and acks make one row in whatever order they come.
"""

import hashlib
from collections.abc import Collection
from dataclasses import asdict, dataclass, fields
from typing import Literal, TypeAlias, cast
from uuid import UUID

from store.feed import changes
from store.feed.changes import Change
from store.history import chats, fold, sessions
from store.history.parsed_events import ParsedEvent
from store.model.facts import Message
from store.postgres import errors
from store.postgres.connections import Connection

SendKind: TypeAlias = Literal["text", "image", "document", "video"]
SendState: TypeAlias = Literal["accepted", "sent", "queued", "failed", "unknown"]

IDEMPOTENCY_KEY_HOURS = 24
"""How long an idempotency key is remembered."""


@dataclass(frozen=True, slots=True)
class SendDraft:
    """What is to be sent."""

    send_id: UUID
    session_id: str
    address: str
    """The digits that the gateway dials."""
    kind: SendKind
    text: str | None
    """Of a file, the caption."""
    timestamp: int
    """Now, in ms."""
    token: str
    """Whose request it is: idempotency keys are a token's own."""
    owner: str
    """The application name of the connections of the process that asks the gateway (store/postgres/pool.py)."""
    file_name: str | None = None
    mime_type: str | None = None
    file_size: int | None = None
    idempotency_key: str | None = None
    fingerprint: bytes | None = None
    """What the key stands for; the same for every copy of one request."""


@dataclass(frozen=True, slots=True)
class SendResult:
    """What is known of a send after the gateway was asked."""

    state: Literal["sent", "queued", "failed", "unknown"]
    message_id: str | None = None
    """WhatsApp's; only of what was sent."""
    gateway_id: str | None = None
    code: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Send:
    """A send as it is now."""

    send_id: UUID
    session_id: str
    address: str
    kind: SendKind
    text: str | None
    file_name: str | None
    mime_type: str | None
    file_size: int | None
    state: SendState
    code: str | None
    reason: str | None
    message_id: str | None
    gateway_id: str | None
    timestamp: int
    """In ms."""
    duration_ms: int | None
    """How long the gateway took, or was waited for, in ms; None while it is being asked."""
    fingerprint: bytes | None
    rev: int


_FIELD_COUNT = len(fields(Send))


def record(connection: Connection, draft: SendDraft, *, own_phone: str | None = None) -> tuple[Send, bool]:
    """Keep the draft, and say whether it is new; if its idempotency key was used before, the send that used it.

    After a TransientError the same draft may be recorded again: it is kept once.
    """
    place = (draft.session_id, draft.address)
    with errors.translated(), connection.transaction():
        sessions.ensure(connection, {draft.session_id})
        chat = chats.lock(connection, {place})[place]
    # Apart: a copy that waited for the first one's row while it held the chat would keep that one from its chat.
    with errors.translated(), chats.transient_if_chat_erased(), connection.transaction():
        if draft.idempotency_key is not None:
            connection.execute(
                """
                UPDATE sends
                SET idempotency_key = NULL
                WHERE token = %(token)s AND idempotency_key = %(key)s
                    AND created_at < now() - make_interval(hours => %(hours)s)
                """,
                {"token": draft.token, "key": draft.idempotency_key, "hours": IDEMPOTENCY_KEY_HOURS},
            )
        own = sessions.own_phones(connection, {draft.session_id}).get(draft.session_id, own_phone)
        made = connection.execute(
            """
            INSERT INTO sends (
                send_id, session_id, chat_id, address, kind, text, file_name, mime_type, file_size, from_number,
                timestamp, token, idempotency_key, fingerprint, owner
            )
            VALUES (
                %(send_id)s, %(session_id)s, %(chat_id)s, %(address)s, %(kind)s, %(text)s, %(file_name)s,
                %(mime_type)s, %(file_size)s, %(from_number)s, %(timestamp)s, %(token)s, %(idempotency_key)s,
                %(fingerprint)s, %(owner)s
            )
            ON CONFLICT DO NOTHING
            """,
            {**asdict(draft), "chat_id": chat.chat_id, "from_number": own},
        )
        found = get(connection, draft.send_id) or _get_by_idempotency_key(connection, draft)
        if made.rowcount:
            changes.publish(
                connection, [Change("send", draft.session_id, chat.canonical_chat_id, send_id=str(draft.send_id))]
            )
    assert found is not None, "sends are not deleted while somebody asks"
    return found, found.send_id == draft.send_id


def complete(
    connection: Connection,
    send_id: UUID,
    result: SendResult,
    *,
    own_phone: str | None = None,
    from_states: Collection[SendState] = ("accepted", "unknown"),
) -> Send:
    """Write down what became of a send that is in one of the states `onto`; another one stays as it is.

    An answer that comes after the send was given up as unknown still counts: it is what somebody knows.
    """
    with errors.translated(), connection.transaction():
        updated = connection.execute(
            """
            UPDATE sends
            SET state = %(state)s, code = %(code)s, reason = %(reason)s, message_id = %(message_id)s,
                gateway_id = coalesce(%(gateway_id)s, gateway_id), completed_at = clock_timestamp(), rev = rev + 1
            WHERE send_id = %(send_id)s AND state = ANY(%(onto)s)
            RETURNING session_id, chat_id
            """,
            {
                "state": result.state,
                "code": result.code,
                "reason": result.reason,
                "message_id": result.message_id,
                "gateway_id": result.gateway_id,
                "send_id": send_id,
                "onto": list(from_states),
            },
        ).fetchone()
        send = get(connection, send_id)
        if send is None:
            raise errors.PermanentError("The send was forgotten, as was whom it went to, before it was answered.")
        if updated is not None:
            folded = _fold_message(connection, send, own_phone)
            session_id, head = chats.find_canonical(connection, cast("int", updated[1]))
            changes.publish(connection, [*folded, Change("send", session_id, head, send_id=str(send_id))])
    return send


def _fold_message(connection: Connection, send: Send, own_phone: str | None) -> list[Change]:
    told = parsed_event(send)
    if told is None:
        return []
    folded = fold.apply(connection, [told], own_phone=own_phone)
    connection.execute(
        "UPDATE sends SET key_id = %s WHERE send_id = %s", [folded.key_ids_by_digest[told.digest][0], send.send_id]
    )
    return list(folded.changes)


def parsed_event(send: Send) -> ParsedEvent | None:
    """What the send tells of its message; None while it has none."""
    if send.message_id is None:
        return None
    is_text = send.kind == "text"
    message = Message(
        address=send.address,
        direction="outgoing",
        message_id=send.message_id,
        time=send.timestamp,
        type=send.kind,
        raw_type=None,
        # The file went through us and is not kept.
        content_state="complete" if is_text else "media_missing",
        text=send.text if is_text else None,
        caption=None if is_text else send.text,
        mime_type=send.mime_type,
        file_name=send.file_name,
        status="sent",
    )
    digest = hashlib.sha256(b"send " + send.send_id.bytes).digest()
    return ParsedEvent(digest, send.timestamp, 0, send.session_id, (message,))


def parsed_events(connection: Connection, key_ids: Collection[int]) -> dict[int, list[ParsedEvent]]:
    """Per key what our sends tell of it: sources of the history, as events are, when it is folded anew."""
    rows = connection.execute(f"{_SELECT} WHERE s.key_id = ANY(%s)", [list(key_ids)])
    found: dict[int, list[ParsedEvent]] = {}
    for *columns, key_id in rows:
        told = parsed_event(_send_from_row(columns))
        if told is not None:
            found.setdefault(cast("int", key_id), []).append(told)
    return found


def get(connection: Connection, send_id: UUID) -> Send | None:
    row = connection.execute(f"{_SELECT} WHERE s.send_id = %s", [send_id]).fetchone()
    return None if row is None else _send_from_row(row[:_FIELD_COUNT])


def _get_by_idempotency_key(connection: Connection, draft: SendDraft) -> Send | None:
    row = connection.execute(
        f"{_SELECT} WHERE s.token = %s AND s.idempotency_key = %s",
        [draft.token, draft.idempotency_key],
    ).fetchone()
    return None if row is None else _send_from_row(row[:_FIELD_COUNT])


_SELECT = """
SELECT s.send_id, s.session_id, s.address, s.kind, s.text, s.file_name, s.mime_type, s.file_size, s.state, s.code,
    s.reason, s.message_id, s.gateway_id, s.timestamp,
    (extract(epoch FROM s.completed_at - s.created_at) * 1000)::bigint AS lasted, s.fingerprint, s.rev, s.key_id
FROM sends AS s
"""


def _send_from_row(row: Collection[object]) -> Send:
    return Send(*row)  # pyright: ignore[reportArgumentType] - the columns are the fields, in their order
