"""Records messages that other clients sent through the gateway, taken from its list: number, type and time, no content.

Such a send is a row of `sends` like any other, so replay, erasure and retention treat it in the same way.
"""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import cast
from uuid import UUID

from store.feed import changes
from store.history import fold
from store.history.sessions import sessions
from store.model import timestamps
from store.postgres import advisory_locks, errors
from store.postgres.connections import Connection
from store.sending import sends
from store.sending.sends import Send, SendKind

_NAMESPACE = UUID("6f1f3c1e-6d0c-5f5b-9a57-0c5f5b2f4a10")


@dataclass(frozen=True, slots=True)
class ListedSend:
    """An entry in the gateway's list for a message that was sent."""

    message_id: str
    """The id that WhatsApp gave the message."""
    address: str
    """The digits that the gateway dialled."""
    kind: SendKind
    timestamp: int
    """In ms by the gateway's clock."""


@dataclass(frozen=True, slots=True)
class MatchWindow:
    """The longest times in ms by which an entry may be dated before or after its send."""

    before: int
    after: int


def record(
    connection: Connection,
    session_id: str,
    entries: Sequence[ListedSend],
    window: MatchWindow,
    *,
    own_phone: str | None = None,
) -> int:
    """Record the entries that come from other clients and are not recorded yet. Return their number.

    Two kinds of entries are left out: those that may be a send of ours whose result is unknown, and those that are not
    later than an erasure, because they may be about the erased person, whose address is not stored.
    """
    with errors.translated(), connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock_shared(%s)", [advisory_locks.SUPPRESSIONS])
        new = _exclude_known(connection, session_id, entries, window)
        if not new:
            return 0
        new_sends = [_as_send(session_id, entry) for entry in new]
        parsed = [event for send in new_sends if (event := sends.parsed_event(send)) is not None]
        folded = fold.apply(connection, parsed, own_phone=own_phone)
        from_number = sessions.own_phones(connection, {session_id}).get(session_id, own_phone)
        count = 0
        for send, event in zip(new_sends, parsed, strict=True):
            key_id = folded.key_ids_by_digest[event.digest][0]
            count += _insert(connection, send, key_id, from_number)
            sends.drop_listed_copies(connection, key_id)
        changes.publish(connection, folded.changes)
    return count


def _as_send(session_id: str, entry: ListedSend) -> Send:
    return Send(
        send_id=uuid.uuid5(_NAMESPACE, f"{session_id} {entry.message_id}"),
        session_id=session_id,
        address=entry.address,
        kind=entry.kind,
        text=None,
        file_name=None,
        mime_type=None,
        state="sent",
        code=None,
        reason=None,
        message_id=entry.message_id,
        gateway_id=None,
        timestamp=entry.timestamp,
        duration_ms=None,
        fingerprint=None,
    )


def _exclude_known(
    connection: Connection, session_id: str, entries: Sequence[ListedSend], window: MatchWindow
) -> list[ListedSend]:
    """Return the entries to record, one per message id."""
    rows = connection.execute(
        """
        SELECT e.message_id
        FROM unnest(%(ids)s::text[], %(addresses)s::text[], %(kinds)s::text[], %(times)s::bigint[])
            AS e (message_id, address, kind, timestamp)
        WHERE e.timestamp > coalesce((SELECT max(s.received_until) + %(skew)s FROM suppressions AS s), 0)
            AND NOT EXISTS (
                SELECT FROM sends AS s WHERE s.session_id = %(session_id)s AND s.message_id = e.message_id
            )
            AND NOT EXISTS (
                SELECT
                FROM chats AS c
                JOIN sends AS s USING (chat_id)
                WHERE c.session_id = %(session_id)s AND c.address = e.address AND s.kind = e.kind AND s.key_id IS NULL
                    AND s.timestamp BETWEEN e.timestamp - %(after)s AND e.timestamp + %(before)s
                    AND s.state <> 'failed' AND s.gateway_id IS NULL
            )
        """,
        {
            "session_id": session_id,
            "ids": [entry.message_id for entry in entries],
            "addresses": [entry.address for entry in entries],
            "kinds": [entry.kind for entry in entries],
            "times": [entry.timestamp for entry in entries],
            "skew": timestamps.MAX_CLOCK_SKEW,
            **asdict(window),
        },
    )
    wanted = cast("Collection[str]", {message_id for (message_id,) in rows})
    return list({entry.message_id: entry for entry in entries if entry.message_id in wanted}.values())


def _insert(connection: Connection, send: Send, key_id: int, from_number: str | None) -> int:
    """Insert the send if its message is in the history (an expired one is not).

    Return the number of inserted rows, 0 or 1.
    """
    return connection.execute(
        """
        INSERT INTO sends (
            send_id, session_id, chat_id, address, kind, state, message_id, key_id, from_number, timestamp, token,
            owner, completed_at
        )
        SELECT %(send_id)s, %(session_id)s, m.chat_id, %(address)s, %(kind)s, %(state)s, %(message_id)s, m.key_id,
            %(from_number)s, %(timestamp)s, %(owner)s, %(owner)s, now()
        FROM whatsapp_messages AS m
        JOIN chats AS c USING (chat_id)
        WHERE m.key_id = %(key_id)s AND m.direction = 'outgoing' AND c.address = %(address)s
        ON CONFLICT DO NOTHING
        """,
        {**asdict(send), "key_id": key_id, "from_number": from_number, "owner": sends.LISTED_OWNER},
    ).rowcount
