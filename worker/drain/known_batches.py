"""Looks up in the ledger which batches of the stream are already stored.

While entries are applied again, those that are stored are acknowledged without being parsed.
"""

from collections.abc import Callable, Sequence

from ingest.queue import contract
from ingest.queue.contract import EntryFields
from store.ledger import batch_counts
from store.ledger.batch_counts import BatchId
from store.postgres.connections import Connection
from worker.drain.stream import StreamConsumer, StreamEntry

COMPARED_ENTRIES = 10
"""The number of newest acknowledged entries to compare. Commits follow the order of the stream, except for concurrent
workers.
"""


class KnownBatches:
    """A check for stored batches that queries PostgreSQL only while it finds some.

    Batches that are not checked are skipped by the transaction itself if they are stored.
    """

    def __init__(self, stream: StreamConsumer) -> None:
        self._stream = stream
        self._is_expected = False

    def expect(self, is_expected: bool) -> None:  # noqa: FBT001 - the only argument
        """Set whether the next entries are probably stored already, because the last ones were."""
        self._is_expected = is_expected

    def acknowledge(
        self, get_connection: Callable[[], Connection], entries: Sequence[StreamEntry]
    ) -> Sequence[StreamEntry]:
        """Acknowledge the entries whose batches are stored, and return the others.

        After `expect(False)`, return all entries unchecked. Raises TransientError and RedisError.
        """
        if not self._is_expected:
            return entries
        ids = {entry.id: batch_id for entry in entries if (batch_id := _batch_id(entry.fields)) is not None}
        known = batch_counts.known(get_connection(), ids.values())
        stored = [entry_id for entry_id, batch_id in ids.items() if batch_id in known]
        self._stream.acknowledge(stored)
        self._is_expected = bool(stored)
        return [entry for entry in entries if ids.get(entry.id) not in known]


def is_acknowledged_missing(stream: StreamConsumer, connection: Connection) -> bool:
    """Return whether the database lacks a batch whose entry was acknowledged recently.

    Raises StoreError and RedisError.
    """
    ids = {batch_id for fields in stream.newest_acknowledged(COMPARED_ENTRIES) if (batch_id := _batch_id(fields))}
    return bool(ids) and batch_counts.known(connection, ids) != ids


def _batch_id(fields: EntryFields) -> BatchId | None:
    try:
        batch = contract.from_fields(fields)
    except contract.UnreadableEntryError:
        return None  # the drain sets the entry aside
    return batch.writer, batch.number
