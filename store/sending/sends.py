"""Records sends before the request to the gateway, and completes them with its answer.

Once its WhatsApp id is known, a send becomes a message by the same fold as events. The answer, the event `message.sent`
and the acknowledgements therefore result in one row, in whatever order they arrive.
"""

import hashlib
from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Literal, TypeAlias, cast
from uuid import UUID

from store.feed import changes
from store.feed.changes import Change
from store.history import fold
from store.history.chats import chats
from store.history.events.parsed_events import ParsedEvent
from store.history.sessions import sessions
from store.model.facts import Message
from store.postgres import errors
from store.postgres.connections import Connection
from store.sending import send_query

SendKind: TypeAlias = Literal["text", "image", "document", "video"]
SendState: TypeAlias = Literal["accepted", "sent", "queued", "failed", "unknown"]

LISTED_OWNER = "gateway's list"
"""The owner and the token of sends by other clients (store/sending/listed_sends.py)."""
IDEMPOTENCY_KEY_HOURS = 24
"""The number of hours for which an idempotency key refers to its send."""


@dataclass(frozen=True, slots=True)
class SendDraft:
    """A send to record. Its fields are the columns of the table."""

    send_id: UUID
    session_id: str
    address: str
    """The digits that the gateway dials."""
    kind: SendKind
    text: str | None
    """The text, or the caption of a file."""
    timestamp: int
    """The time of the request, in ms."""
    token: str
    """The token that made the request. The idempotency key is unique per token."""
    owner: str
    """The application_name of the process that executes the send (store/postgres/pool.py)."""
    file_name: str | None = None
    mime_type: str | None = None
    file_size: int | None = None
    idempotency_key: str | None = None
    fingerprint: bytes | None = None
    """A hash of the request, by which a different request with the same key is refused."""


@dataclass(frozen=True, slots=True)
class SendResult:
    """The outcome of the request to the gateway. Its fields are columns of the table."""

    state: Literal["sent", "queued", "failed", "unknown"]
    message_id: str | None = None
    """The id from WhatsApp, if the message was sent."""
    gateway_id: str | None = None
    code: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Send:
    """A recorded send. Its fields are the selected columns in order."""

    send_id: UUID
    session_id: str
    address: str
    kind: SendKind
    text: str | None
    file_name: str | None
    mime_type: str | None
    state: SendState
    code: str | None
    reason: str | None
    message_id: str | None
    gateway_id: str | None
    timestamp: int
    """In ms."""
    duration_ms: int | None
    """The time until the answer or the timeout in ms, or None while the request is running."""
    fingerprint: bytes | None


def record(connection: Connection, draft: SendDraft, *, own_phone: str | None = None) -> Send:
    """Record a draft and return its send, or the earlier send with its idempotency key, which has another id.

    After a TransientError the same draft can be recorded again; it is stored only once.
    """
    address = (draft.session_id, draft.address)
    with errors.translated(), connection.transaction():
        sessions.ensure(connection, {draft.session_id})
        chat = chats.lock(connection, {address})[address]
    # In a second transaction: if this request kept the chat's lock while waiting for the row of a concurrent copy of
    # it, the two would deadlock.
    with errors.translated(), chats.erased_chat_as_transient_error(), connection.transaction():
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
        from_number = sessions.own_phones(connection, {draft.session_id}).get(draft.session_id, own_phone)
        inserted = connection.execute(
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
            {**asdict(draft), "chat_id": chat.chat_id, "from_number": from_number},
        )
        send = get(connection, draft.send_id) or _get_by_idempotency_key(connection, draft)
        if inserted.rowcount:
            change = Change("send", draft.session_id, chat.canonical_chat_id, send_id=draft.send_id)
            changes.publish(connection, [change])
    assert send is not None, "the transaction inserted it, or conflicted with it"
    return send


def complete(
    connection: Connection,
    send_id: UUID,
    result: SendResult,
    *,
    own_phone: str | None = None,
    from_states: Collection[SendState] = ("accepted", "unknown"),
) -> Send:
    """Record the result of a send if it is in one of `from_states`. Return the send, changed or not.

    A result may replace `unknown`, because a late answer is better than none.
    """
    with errors.translated(), connection.transaction():
        updated = connection.execute(
            """
            UPDATE sends
            SET state = %(state)s, code = %(code)s, reason = %(reason)s, message_id = %(message_id)s,
                gateway_id = coalesce(%(gateway_id)s, gateway_id), completed_at = clock_timestamp(), rev = rev + 1
            WHERE send_id = %(send_id)s AND state = ANY(%(from_states)s)
            RETURNING session_id, chat_id
            """,
            {**asdict(result), "send_id": send_id, "from_states": list(from_states)},
        ).fetchone()
        send = get(connection, send_id)
        if send is None:
            raise errors.PermanentError("The send was erased, with its recipient, before the gateway answered.")
        if updated is not None:
            folded = _fold_message(connection, send, own_phone)
            session_id, chat_id = chats.find_canonical(connection, cast("int", updated[1]))
            changes.publish(connection, [*folded, Change("send", session_id, chat_id, send_id=send_id)])
    return send


def _fold_message(connection: Connection, send: Send, own_phone: str | None) -> list[Change]:
    parsed = parsed_event(send)
    if parsed is None:
        return []
    folded = fold.apply(connection, [parsed], own_phone=own_phone)
    key_id = folded.key_ids_by_digest[parsed.digest][0]
    connection.execute("UPDATE sends SET key_id = %s WHERE send_id = %s", [key_id, send.send_id])
    drop_listed_copies(connection, key_id)
    return list(folded.changes)


def drop_listed_copies(connection: Connection, key_id: int) -> None:
    """Delete the send taken from the gateway's list if its message was sent from here. The key must be locked."""
    connection.execute(
        """
        DELETE FROM sends AS listed
        USING sends AS own
        WHERE listed.key_id = %(key_id)s AND listed.owner = %(listed)s
            AND own.key_id = listed.key_id AND own.owner <> listed.owner
        """,
        {"key_id": key_id, "listed": LISTED_OWNER},
    )


def parsed_event(send: Send) -> ParsedEvent | None:
    """Return the send as an event about its message, or None if it has no WhatsApp id."""
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
        # The file itself is not stored, and the gateway's list contains no text.
        content_state="complete" if send.text is not None and is_text else "media_missing",
        text=send.text if is_text else None,
        caption=None if is_text else send.text,
        mime_type=send.mime_type,
        file_name=send.file_name,
        status="sent",
    )
    digest = hashlib.sha256(b"send " + send.send_id.bytes).digest()
    return ParsedEvent(digest, send.timestamp, 0, send.session_id, (message,))


def parsed_events(connection: Connection, key_ids: Collection[int]) -> dict[int, list[ParsedEvent]]:
    """Return the sends with these keys as events.

    A replay needs them because the history is computed from them, too.
    """
    rows = connection.execute(f"{send_query.SELECT} WHERE s.key_id = ANY(%s)", [list(key_ids)])
    events: dict[int, list[ParsedEvent]] = {}
    for row in rows:
        if (parsed := parsed_event(from_row(row))) is not None:
            events.setdefault(cast("int", row[-1]), []).append(parsed)
    return events


def get(connection: Connection, send_id: UUID) -> Send | None:
    row = connection.execute(f"{send_query.SELECT} WHERE s.send_id = %s", [send_id]).fetchone()
    return None if row is None else from_row(row)


def _get_by_idempotency_key(connection: Connection, draft: SendDraft) -> Send | None:
    query = f"{send_query.SELECT} WHERE s.token = %s AND s.idempotency_key = %s"
    row = connection.execute(query, [draft.token, draft.idempotency_key]).fetchone()
    return None if row is None else from_row(row)


def from_row(row: tuple[object, ...]) -> Send:
    """Return the send of a row of `send_query.SELECT`."""
    return Send(*row[:-1])  # pyright: ignore[reportArgumentType] - the fields in order, then the key
