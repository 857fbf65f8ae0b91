"""Old and new messages, and forgetting the old ones, as tests do it."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from store.model.facts import Outcome
from store.postgres import connections
from store.retention import expired_messages
from store.retention.expired_messages import Gone
from tests.support.faulty_parsers import rightly
from tests.support.generated_history import batches, world
from tests.support.replaying import drain, rows, said

NOW = int(datetime.now(UTC).timestamp()) * 1000
OLD = NOW - 800 * world.DAY
BEFORE = NOW - 730 * world.DAY
SESSION = world.SESSIONS[0]
UNDER_LID: Mapping[str, Any] = {"from": world.LID_OF_ASHA, "senderPn": world.jid(world.ASHA)}
"""How Asha's messages come under her other address, with the evidence that it is hers."""
LID_ALONE: Mapping[str, Any] = {"from": world.LID_OF_ASHA}
"""And without."""


def at(ms: int, text: str, number: int = 1, *, sender: str = world.ASHA, **more: object) -> bytes:
    return said(text, number, timestamp=ms // 1000, **{"from": world.jid(sender), **more})


def about(event: str, number: int = 1, **more: object) -> bytes:
    return world.encoded({"event": event, "sessionId": SESSION, "timestamp": OLD, "messageId": f"ID{number}", **more})


def come(database_url: str, *bodies: bytes, receipt: int = NOW, read: Callable[[bytes], Outcome] = rightly) -> None:
    """One batch, of a writer of its own."""
    drain(database_url, [batches.batch([(body, receipt) for body in bodies], writer=uuid4().hex)], read)


def retire(database_url: str, before: int = BEFORE) -> Gone:
    with connections.open(database_url, "retain") as connection:
        looked = expired_messages.look(connection, before)
        gone = list(expired_messages.retire(connection, before))
        again = expired_messages.look(connection, before)
    total = Gone(*(sum(column) for column in zip(*((g.messages, g.marks, g.sends) for g in gone), strict=True)))
    # Neither more nor less than a dry run said.
    assert total == Gone(looked.messages, looked.marks, looked.sends)
    assert (again.messages, again.marks, again.sends) == (0, 0, 0)
    return total


def ids(database_url: str) -> list[object]:
    return [one for (one,) in rows(database_url, "SELECT message_id FROM whatsapp_messages ORDER BY 1")]


def strange(_: bytes) -> Outcome:
    return Outcome("parked", "strange", SESSION, "message.received", None)
