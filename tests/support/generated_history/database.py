"""Provides a database to which histories are written repeatedly, and from which they are read."""

from collections.abc import Sequence
from typing import Final, LiteralString

from ingest.queue import contract
from ingest.queue.contract import RawBatch
from store.accounts import joining
from store.history.sessions import sessions
from store.ingestion import apply
from store.postgres.connections import Connection
from tests.support.generated_history import world
from tests.support.generated_history.histories import Delivery
from tests.support.history import account_merging
from worker.drain import decoding

_EMPTIED_TABLES: Final[tuple[LiteralString, ...]] = (
    *("batches", "event_digests", "raw_events", "event_keys", "parked_events", "noise_events", "changes"),
    *(
        "account_sessions",
        "session_events",
        "sessions",
        "message_updates",
        "whatsapp_messages",
        "lid_aliases",
        "chats",
        "message_keys",
    ),
)
"""The tables in an order in which each comes after those that refer to it."""
_DELETE_ALL: Final[LiteralString] = "; ".join(f"DELETE FROM {table}" for table in _EMPTIED_TABLES)
_TRUNCATE_ALL: Final[LiteralString] = "TRUNCATE " + ", ".join(_EMPTIED_TABLES) + " CASCADE"
_TRUNCATE_EVERY = 40
"""The number of histories between two truncations. A DELETE leaves dead rows; a TRUNCATE takes longer."""


class HistoryDatabase:
    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._emptied = 0

    def clear(self) -> None:
        self._emptied += 1
        with self.connection.transaction():
            self.connection.execute(_TRUNCATE_ALL if self._emptied % _TRUNCATE_EVERY == 0 else _DELETE_ALL)

    def apply_delivery(self, telling: Delivery) -> None:
        for step in telling:
            apply_step(self.connection, step)


class AccountDatabase(HistoryDatabase):
    """A database in which the sessions of the world belong to one account from the beginning."""

    def clear(self) -> None:
        super().clear()
        with self.connection.transaction():
            joining.join(self.connection, ensure_sessions(self.connection), "919800000000")
        account_merging.merge_all(self.connection)


def ensure_sessions(connection: Connection) -> list[int]:
    """Return the numbers of the world's sessions, which are assigned in order."""
    return [sessions.ensure(connection, {session_id})[session_id] for session_id in world.SESSIONS]


def apply_step(connection: Connection, step: Sequence[RawBatch]) -> None:
    """Write stream entries in one transaction, as the worker does."""
    apply.batches(connection, [decoding.batch(contract.to_fields(batch)) for batch in step])
