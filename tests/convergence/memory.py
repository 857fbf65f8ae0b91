"""A database that a history is told to and read back from, again and again."""

from collections.abc import Iterable, Sequence
from typing import Final, LiteralString

from ingest import queue
from ingest.queue import Batch
from store import writes
from store.connect import Connection
from worker import reading

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

    def tell(self, transactions: Iterable[Sequence[Batch]]) -> None:
        for batches in transactions:
            tell(self.connection, batches)


def tell(connection: Connection, batches: Sequence[Batch]) -> None:
    """One transaction, as the worker makes it of these stream entries."""
    writes.apply(connection, [reading.batch(queue.to_fields(batch)) for batch in batches])
