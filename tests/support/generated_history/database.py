"""A database that a history is told to and read back from, again and again."""

from collections.abc import Sequence
from typing import Final, LiteralString

from ingest.queue import contract
from ingest.queue.contract import Batch
from store.history import splits
from store.ingestion import apply
from store.postgres.connections import Connection
from tests.support.generated_history.histories import Decision, Telling
from worker.drain import decoding

_TABLES: Final[tuple[LiteralString, ...]] = (
    *("batches", "digests", "events", "event_keys", "parked", "sessions", "session_events", "keys", "chats"),
    *("whatsapp_messages", "marks", "aliases", "splits", "changes"),
)
_EMPTY: Final[LiteralString] = "; ".join(
    ("SET LOCAL session_replication_role = replica", *(f"DELETE FROM {table}" for table in _TABLES))
)
_TRUNCATE: Final[LiteralString] = "TRUNCATE " + ", ".join(_TABLES) + " CASCADE"
_OFTEN = 40
"""Emptying leaves dead rows behind; truncating does not, and takes as long as telling a short history."""


class Memory:
    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._emptied = 0

    def empty(self) -> None:
        self._emptied += 1
        with self.connection.transaction():
            self.connection.execute(_TRUNCATE if self._emptied % _OFTEN == 0 else _EMPTY)

    def tell(self, telling: Telling) -> None:
        for step in telling:
            tell(self.connection, step)


def tell(connection: Connection, step: Sequence[Batch] | Decision) -> None:
    """One transaction: of stream entries, as the worker makes it, or of a decision."""
    if isinstance(step, Decision):
        decide = splits.split if step.is_split else splits.withdraw
        decide(connection, step.session_id, step.lid)
    else:
        apply.apply(connection, [decoding.batch(contract.to_fields(batch)) for batch in step])
