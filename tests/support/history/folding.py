"""Stores a few events in every order and division into transactions, for tests of the rules that combine them."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count, permutations
from typing import Any

from psycopg.rows import dict_row

from store.ingestion import apply
from store.model.batches import Batch, Event
from store.model.facts import ContentState, Direction, Fact, Message, MessageType, Outcome, Status
from store.postgres.connections import Connection
from store.reading.fragments import message_json
from tests.support.generated_history import snapshot, world
from tests.support.generated_history.database import HistoryDatabase

SESSION = world.SESSIONS[0]
BASE_TIME = world.BASE_TIME


@dataclass(frozen=True, slots=True)
class DeliveredEvent:
    """One delivery of an event. The same facts with another time of receipt are a copy of it."""

    facts: tuple[Fact, ...]
    received_at: int
    session: str
    tie_breaker: str
    """Distinguishes events with equal content, and decides ties."""

    @property
    def body(self) -> bytes:
        return f"{self.session} {self.tie_breaker} {self.facts}".encode()

    def event(self, index: int) -> Event:
        outcome = Outcome("stored", None, self.session, "test", None, self.facts)
        return Event(index, self.received_at, self.body, hashlib.sha256(self.body).digest(), outcome)


def event_of(*facts: Fact, received_at: int = BASE_TIME, session: str = SESSION, seed: str = "") -> DeliveredEvent:
    return DeliveredEvent(facts, received_at, session, seed)


def message_fact(
    message_id: str | None = "A",
    address: str = world.ASHA,
    *,
    text: str | None = "Hello",
    direction: Direction = "incoming",
    time: int | None = BASE_TIME,
    message_type: MessageType = "text",
    state: ContentState = "complete",
    caption: str | None = None,
    media_url: str | None = None,
    sender: str | None = None,
    sender_name: str | None = None,
    status: Status | None = None,
) -> Message:
    return Message(
        address=address,
        direction=direction,
        message_id=message_id,
        time=time,
        type=message_type,
        raw_type=None,
        content_state=state,
        text=text,
        caption=caption,
        media_url=media_url,
        sender=sender,
        sender_name=sender_name,
        status=status,
    )


def store_transactions(connection: Connection, numbers: Iterable[int], *transactions: Sequence[DeliveredEvent]) -> None:
    """Store each sequence in one transaction as a batch of a writer of its own."""
    for number, events in zip(numbers, transactions, strict=False):
        batch = Batch(f"{number:032x}", 1, len(events), tuple(event.event(i) for i, event in enumerate(events)))
        apply.batches(connection, [batch])


def assert_order_independent(memory: HistoryDatabase, *events: DeliveredEvent) -> snapshot.Snapshot:
    """Store the events in every order, together and separately. Return the result, which must always be the same."""
    first: snapshot.Snapshot | None = None
    for order in permutations(events):
        # If there are two events, the last two divisions are the same.
        for transactions in ([order], [[event] for event in order], [order[:1], order[1:]])[: len(order)]:
            memory.clear()
            store_transactions(memory.connection, count(1), *transactions)
            now = snapshot.read(memory.connection)
            first = first or now
            differing = snapshot.differences(first, now)
            assert not differing, "\n".join([f"{event.facts}" for event in order] + differing)
    assert first is not None
    return first


def visible_messages(memory: HistoryDatabase, message_id: str = "A") -> list[dict[str, Any]]:
    """Return the rows that are shown under this id, with the chat in which they are shown."""
    with memory.connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            """
            SELECT m.*, canonical.address AS shown_in
            FROM whatsapp_messages AS m
            JOIN chats AS c USING (chat_id)
            JOIN chats AS canonical ON canonical.chat_id = c.canonical_chat_id
            WHERE m.message_id = %s AND NOT m.is_duplicate
            ORDER BY m.session_id, canonical.address, m.direction
            """,
            [message_id],
        ).fetchall()


def visible_message(memory: HistoryDatabase, message_id: str = "A") -> dict[str, Any]:
    """Return the only row that is shown under this id."""
    (row,) = visible_messages(memory, message_id)
    return row


def shown_reactions(memory: HistoryDatabase, message_id: str = "A") -> list[dict[str, Any]]:
    """Return the reactions to the message that is shown under this id, as the API shows them."""
    row = memory.connection.execute(
        f"""
        SELECT {message_json.MESSAGE_JSON}
        FROM whatsapp_messages AS m
        JOIN chats AS c USING (chat_id)
        JOIN chats AS canonical ON canonical.chat_id = c.canonical_chat_id
        WHERE m.message_id = %(id)s AND NOT m.is_duplicate
        """,
        {"id": message_id, "versions": False},
    ).fetchone()
    assert row is not None
    return json.loads(str(row[0]))["reactions"]


def visible_chats(memory: HistoryDatabase) -> dict[str, dict[str, Any]]:
    """Return the chats that a list shows, by address."""
    with memory.connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute("SELECT * FROM chats WHERE merged_into IS NULL AND last_timestamp IS NOT NULL").fetchall()
    return {row["address"]: row for row in rows}


def text_of(event: DeliveredEvent) -> str | None:
    """Return the text of the event's message."""
    return next(fact.text for fact in event.facts if isinstance(fact, Message))
