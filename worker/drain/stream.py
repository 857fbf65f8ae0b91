"""Consumes the stream: reads entries, claims abandoned ones, and acknowledges them after COMMIT.

Acknowledged entries stay in the stream for a while (worker/drain/kept_entries.py), so the length of the stream does not
show how many entries wait. `StreamConsumer.state` does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias, cast

from redis import Redis
from redis.client import Pipeline
from redis.exceptions import ResponseError

from ingest.queue import consumer_group, entry_ids
from ingest.queue.consumer_group import GroupPosition
from ingest.queue.contract import CONSUMER_GROUP, DATABASE, STREAM, EntryFields

ABANDONED_AFTER_MS = 5_000
"""The time in ms without a refresh after which an entry counts as abandoned by a dead worker."""

DEAD_CONSUMER_AFTER_MS = 86_400_000
"""The idle time in ms after which a consumer without pending entries counts as dead."""

UNREADABLE_STREAM = f"{STREAM}:unreadable"
"""The stream of entries that no worker has been able to read."""

MAX_COUNTED = 100
"""The number of entries that are read in order to count them if Redis does not report the group's lag."""

_Reply: TypeAlias = list[tuple[bytes, EntryFields | None]]
"""Ids and fields. The fields of a deleted entry are None."""


class StreamEntry(NamedTuple):
    """An entry as it was read. It is a tuple for speed, because there is one for each batch."""

    id: bytes
    fields: EntryFields
    deaths: int
    """The number of earlier deliveries of the entry to workers that died."""

    @property
    def appended_at(self) -> int:
        """The time in ms when the entry was appended, by Redis' clock."""
        return _milliseconds(self.id)


@dataclass(frozen=True, slots=True)
class StreamState:
    """The state of the stream at one moment."""

    length: int
    """The number of entries, including those that are committed and kept."""
    uncommitted: int
    """The number of entries that are not committed. It is an upper bound if Redis does not report the group's lag."""
    oldest_uncommitted_at: int | None
    """The time in ms when the oldest uncommitted entry was appended, by Redis' clock, or None if there is none."""
    committed_before: bytes | None
    """The id below which every entry is committed, or None if there is no consumer group."""

    @property
    def kept(self) -> int:
        """The number of committed entries that are still in the stream."""
        return max(0, self.length - self.uncommitted)


class StreamConsumer:
    """A consumer of the group."""

    def __init__(self, redis: Redis, consumer_name: str) -> None:
        self.redis = redis
        self.consumer_name = consumer_name
        self.generation: str | None = None
        """The database's generation in Redis (worker/drain/database_marker.py) right after the last read."""

    def ensure_group(self) -> None:
        """Create the stream and the group if they do not exist: at first, and after Redis lost its data."""
        try:
            self.redis.xgroup_create(STREAM, CONSUMER_GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    def read_new(self, count: int, *, block_ms: int | None = None) -> list[StreamEntry]:
        """Return up to `count` entries that no consumer has, waiting up to `block_ms` for the first."""
        with self._read_pipeline() as pipe:
            pipe.xreadgroup(CONSUMER_GROUP, self.consumer_name, {STREAM: ">"}, count=count, block=block_ms)
            read = self._execute_read(pipe)
        if isinstance(read, ResponseError):
            if not str(read).startswith("NOGROUP"):
                raise read
            self.ensure_group()
            return []
        streams = cast("list[tuple[bytes, _Reply]]", read or [])
        return [StreamEntry(id_, fields, 0) for _, entries in streams for id_, fields in entries if fields is not None]

    def read_own(self, count: int) -> list[StreamEntry]:
        """Return up to `count` entries that this consumer has read and not acknowledged."""
        read = self.redis.xreadgroup(CONSUMER_GROUP, self.consumer_name, {STREAM: "0"}, count=count)
        streams = cast("list[tuple[bytes, _Reply]]", read or [])
        return [StreamEntry(id_, fields, 0) for _, entries in streams for id_, fields in entries if fields]

    def claim_abandoned(self, count: int) -> list[StreamEntry]:
        """Claim up to `count` entries of dead workers for this consumer and return them."""
        try:
            pending = self._pending(count, idle_ms=ABANDONED_AFTER_MS)
        except ResponseError as error:
            if not str(error).startswith("NOGROUP"):
                raise
            return []
        deaths = {cast("bytes", entry["message_id"]): cast("int", entry["times_delivered"]) for entry in pending}
        if not deaths:
            return []
        # XCLAIM claims only entries that are still idle, so only one of two concurrent workers gets them.
        with self._read_pipeline() as pipe:
            pipe.xclaim(STREAM, CONSUMER_GROUP, self.consumer_name, ABANDONED_AFTER_MS, list(deaths))
            claimed = self._execute_read(pipe)
        if isinstance(claimed, ResponseError):
            raise claimed
        return [StreamEntry(id_, fields, deaths[id_]) for id_, fields in cast("_Reply", claimed) if fields is not None]

    def refresh_claims(self, ids: Sequence[bytes]) -> None:
        """Refresh this consumer's claim on the entries."""
        if ids:
            self.redis.xclaim(STREAM, CONSUMER_GROUP, self.consumer_name, 0, list(ids), justid=True)

    def reset_delivery_counts(self, ids: Sequence[bytes]) -> None:
        """Reset the delivery counts of entries that this worker could not store, because it did not die."""
        if ids:
            self.redis.xclaim(STREAM, CONSUMER_GROUP, self.consumer_name, 0, list(ids), retrycount=0, justid=True)

    def acknowledge(self, ids: Sequence[bytes]) -> None:
        """Acknowledge entries. Call this only after COMMIT."""
        for start in range(0, len(ids), 1000):
            self.redis.xack(STREAM, CONSUMER_GROUP, *ids[start : start + 1000])

    def set_aside_unreadable(self, entry: StreamEntry) -> None:
        """Move an entry that this worker cannot read to UNREADABLE_STREAM, from which a newer worker requeues it."""
        with self.redis.pipeline(transaction=True) as pipe:  # pyright: ignore[reportUnknownMemberType] - shard_hint
            pipe.xadd(UNREADABLE_STREAM, cast("dict[Any, Any]", entry.fields))
            pipe.xack(STREAM, CONSUMER_GROUP, entry.id)
            pipe.xdel(STREAM, entry.id)
            pipe.execute()

    def unreadable_count(self) -> int:
        """Return the number of entries that are set aside."""
        return self.redis.xlen(UNREADABLE_STREAM)

    def remove_consumer(self) -> None:
        """Remove this consumer, unless it has pending entries, which other workers can then claim."""
        for consumer in self.redis.xinfo_consumers(STREAM, CONSUMER_GROUP):
            if consumer["name"] == self.consumer_name.encode() and not consumer["pending"]:
                self.redis.xgroup_delconsumer(STREAM, CONSUMER_GROUP, self.consumer_name)

    def remove_dead_consumers(self, idle_ms: int = DEAD_CONSUMER_AFTER_MS) -> None:
        """Remove consumers that have no pending entries and have been idle for `idle_ms`."""
        for consumer in self.redis.xinfo_consumers(STREAM, CONSUMER_GROUP):
            if not consumer["pending"] and consumer["idle"] >= idle_ms:
                self.redis.xgroup_delconsumer(STREAM, CONSUMER_GROUP, consumer["name"])

    def has_work(self) -> bool:
        """Return whether a drain would find new or abandoned entries."""
        position = self._position()
        if position is None:
            return self.redis.xlen(STREAM) > 0
        return bool(self._entries_after(position.last_delivered_id, 1)) or (
            position.pending > 0 and bool(self._pending(1, idle_ms=ABANDONED_AFTER_MS))
        )

    def state(self) -> StreamState:
        """Return the lengths of the stream and the age of the oldest waiting entry."""
        length, position = self.redis.xlen(STREAM), self._position()
        if position is None:
            first = self._entries(self.redis.xrange(STREAM, count=1))
            return StreamState(length, length, _milliseconds(first[0][0]) if first else None, None)
        pending = self._pending(1) if position.pending else ()
        unread = self._entries_after(position.last_delivered_id, MAX_COUNTED if position.lag is None else 1)
        waiting = [cast("bytes", entry["message_id"]) for entry in pending] + [id_ for id_, _ in unread[:1]]
        uncommitted = position.uncommitted
        if uncommitted is None:
            counted = position.pending + len(unread)
            uncommitted = counted if len(unread) < MAX_COUNTED else max(counted, length)
        oldest_pending = next((cast("bytes", entry["message_id"]) for entry in pending), None)
        return StreamState(
            length,
            max(uncommitted, len(waiting)),
            min(map(_milliseconds, waiting), default=None),
            consumer_group.committed_before(position, oldest_pending),
        )

    def newest_acknowledged(self, count: int) -> list[EntryFields]:
        """Return the fields of up to `count` of the newest entries that were delivered and are not pending."""
        position = self._position()
        if position is None:
            return []
        delivered = self._entries(self.redis.xrevrange(STREAM, position.last_delivered_id, "-", count=count))
        if not delivered:
            return []
        pending = self.redis.xpending_range(STREAM, CONSUMER_GROUP, delivered[-1][0], delivered[0][0], count)
        pending_ids = {entry["message_id"] for entry in cast("list[dict[str, object]]", pending)}
        return [fields for id_, fields in delivered if id_ not in pending_ids]

    def newest_fields(self, count: int) -> list[EntryFields]:
        return [fields for _, fields in self._entries(self.redis.xrevrange(STREAM, count=count))]

    @staticmethod
    def _entries(reply: object) -> list[tuple[bytes, EntryFields]]:
        return cast("list[tuple[bytes, EntryFields]]", reply)

    def _pending(self, count: int, *, idle_ms: int | None = None) -> Sequence[dict[str, object]]:
        pending = self.redis.xpending_range(STREAM, CONSUMER_GROUP, "-", "+", count, idle=idle_ms)
        return cast("list[dict[str, object]]", pending)

    def _read_pipeline(self) -> Pipeline:
        return self.redis.pipeline(transaction=False)  # pyright: ignore[reportUnknownMemberType] - shard_hint

    def _execute_read(self, pipe: Pipeline) -> object:
        """Return the reply to the command in the pipeline, or raise its error.

        The generation is read in the same round trip.
        """
        pipe.hget(DATABASE, "generation")
        reply, generation = cast("list[object]", pipe.execute(raise_on_error=False))
        self.generation = generation.decode() if isinstance(generation, bytes) else None
        return reply

    def _entries_after(self, last_id: bytes, count: int) -> list[tuple[bytes, EntryFields]]:
        return self._entries(self.redis.xrange(STREAM, b"(" + last_id, "+", count=count))

    def _position(self) -> GroupPosition | None:
        try:
            groups = cast("list[dict[str, object]]", self.redis.xinfo_groups(STREAM))
        except ResponseError:  # no such key
            return None
        return consumer_group.position(groups)


def _milliseconds(entry_id: bytes) -> int:
    return entry_ids.parse(entry_id)[0]
