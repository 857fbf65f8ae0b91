"""Stores old and new messages, and deletes the old ones as retention does."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from store.model.facts import Outcome
from store.postgres import connections
from store.retention import expired_messages
from store.retention.expired_messages import DeletedMessages
from tests.support.generated_history import batches, world
from tests.support.history.faulty_parsers import parse_correctly
from tests.support.history.replaying import fetch_rows, store_batches, text_event

NOW_TIME = int(datetime.now(UTC).timestamp()) * 1000
OLD_TIME = NOW_TIME - 800 * world.DAY
CUTOFF_TIME = NOW_TIME - 730 * world.DAY
SESSION_ID = world.SESSIONS[0]
LID_WITH_PHONE: dict[str, Any] = {"from": world.LID_OF_ASHA, "senderPn": world.spell_jid(world.ASHA)}
"""The fields of messages under Asha's LID, with the evidence that it is hers."""
LID_WITHOUT_PHONE: Mapping[str, Any] = {"from": world.LID_OF_ASHA}
"""The same fields without the evidence."""


def message_at(ms: int, text: str, number: int = 1, *, sender: str = world.ASHA, **more: object) -> bytes:
    return text_event(text, number, timestamp=ms // 1000, **{"from": world.spell_jid(sender), **more})


def update_event(event: str, number: int = 1, **more: object) -> bytes:
    return world.encode_event(
        {"event": event, "sessionId": SESSION_ID, "timestamp": OLD_TIME, "messageId": f"ID{number}", **more}
    )


def receive(
    database_url: str, *bodies: bytes, received_at: int = NOW_TIME, parse: Callable[[bytes], Outcome] = parse_correctly
) -> None:
    """Store one batch from a writer of its own."""
    store_batches(
        database_url, [batches.make_batch([(body, received_at) for body in bodies], writer=uuid4().hex)], parse
    )


def expire_messages(database_url: str, before: int = CUTOFF_TIME) -> DeletedMessages:
    with connections.open(database_url, "retain") as connection:
        looked = expired_messages.preview(connection, before)
        gone = list(expired_messages.prune(connection, before))
        again = expired_messages.preview(connection, before)
    total = DeletedMessages(
        *(sum(column) for column in zip(*((g.messages, g.updates, g.sends) for g in gone), strict=True))
    )
    # The counts must equal those of the dry run.
    assert total == DeletedMessages(looked.messages, looked.updates, looked.sends)
    assert (again.messages, again.updates, again.sends) == (0, 0, 0)
    return total


def message_ids(database_url: str) -> list[object]:
    return [one for (one,) in fetch_rows(database_url, "SELECT message_id FROM whatsapp_messages ORDER BY 1")]


def park_everything(_: bytes) -> Outcome:
    return Outcome("parked", "strange", SESSION_ID, "message.received", None)
