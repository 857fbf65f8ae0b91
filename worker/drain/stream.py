"""Consumes the stream: reads entries, claims abandoned ones, and removes them after COMMIT."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from redis import Redis
from redis.exceptions import ResponseError, WatchError

from ingest.queue.contract import CONSUMER_GROUP, STREAM

ABANDONED_AFTER_MS = 5_000
"""Milliseconds without a refresh after which an entry counts as left by a dead worker."""

DEAD_CONSUMER_AFTER_MS = 86_400_000
"""Idle milliseconds after which a consumer without pending entries counts as a dead worker's."""

UNREADABLE_STREAM = f"{STREAM}:unreadable"
"""The stream of entries that no worker could read so far."""

EntryFields: TypeAlias = dict[bytes, bytes]
_Reply: TypeAlias = list[tuple[bytes, EntryFields | None]]
"""Ids and fields; the fields of a deleted entry are None."""


@dataclass(frozen=True, slots=True)
class StreamEntry:
    id: bytes
    fields: EntryFields
    deaths: int
    """Earlier deliveries of the entry to workers that died."""


class StreamConsumer:
    """One consumer of the group."""

    def __init__(self, redis: Redis, consumer_name: str) -> None:
        self.redis = redis
        self.consumer_name = consumer_name

    def ensure_group(self) -> None:
        """Create stream and group if they are absent: at first, and after Redis lost its data."""
        try:
            self.redis.xgroup_create(STREAM, CONSUMER_GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    def read_new(self, count: int, *, block_ms: int | None = None) -> list[StreamEntry]:
        """Up to `count` entries that no consumer has, waiting up to `block_ms` for the first."""
        try:
            read = self.redis.xreadgroup(CONSUMER_GROUP, self.consumer_name, {STREAM: ">"}, count=count, block=block_ms)
        except ResponseError as error:
            if not str(error).startswith("NOGROUP"):
                raise
            self.ensure_group()
            return []
        streams = cast("list[tuple[bytes, _Reply]]", read or [])
        return [StreamEntry(id_, fields, 0) for _, entries in streams for id_, fields in entries if fields is not None]

    def claim_abandoned(self, count: int) -> list[StreamEntry]:
        """Up to `count` entries of dead workers, claimed for this consumer."""
        try:
            pending = self._pending(count, idle_ms=ABANDONED_AFTER_MS)
        except ResponseError as error:
            if not str(error).startswith("NOGROUP"):
                raise
            return []
        deaths = {cast("bytes", entry["message_id"]): cast("int", entry["times_delivered"]) for entry in pending}
        if not deaths:
            return []
        # Claims only entries that are still idle: of two workers that claim at once, one gets them.
        claimed = self.redis.xclaim(STREAM, CONSUMER_GROUP, self.consumer_name, ABANDONED_AFTER_MS, list(deaths))
        return [StreamEntry(id_, fields, deaths[id_]) for id_, fields in cast("_Reply", claimed) if fields is not None]

    def read_acknowledged(self, count: int) -> list[StreamEntry]:
        """Entries that are acknowledged and not deleted: a failover may keep the one and lose the other."""
        info = self._group_info()
        if info is None:
            return []
        pending = {entry["message_id"] for entry in self._pending(count)}
        delivered = self._entries(self.redis.xrange(STREAM, "-", cast("bytes", info["last-delivered-id"]), count=count))
        return [StreamEntry(id_, fields, 0) for id_, fields in delivered if id_ not in pending]

    def refresh_claims(self, ids: Sequence[bytes]) -> None:
        """Refresh this consumer's claim on the entries."""
        if ids:
            self.redis.xclaim(STREAM, CONSUMER_GROUP, self.consumer_name, 0, list(ids), justid=True)

    def reset_delivery_counts(self, ids: Sequence[bytes]) -> None:
        """Reset the entries' deliveries: this worker could not store them and did not die."""
        if ids:
            self.redis.xclaim(STREAM, CONSUMER_GROUP, self.consumer_name, 0, list(ids), retrycount=0, justid=True)

    def acknowledge_and_delete(self, ids: Sequence[bytes]) -> None:
        """Acknowledge and delete entries in one transaction; only after COMMIT."""
        for chunk in (ids[start : start + 1000] for start in range(0, len(ids), 1000)):
            with self.redis.pipeline(transaction=True) as pipe:  # pyright: ignore[reportUnknownMemberType] - shard_hint
                pipe.xack(STREAM, CONSUMER_GROUP, *chunk)
                pipe.xdel(STREAM, *chunk)
                pipe.execute()

    def set_aside_unreadable(self, entry: StreamEntry) -> None:
        """Move an entry that this worker cannot read to UNREADABLE_STREAM, from which a newer worker requeues it."""
        with self.redis.pipeline(transaction=True) as pipe:  # pyright: ignore[reportUnknownMemberType] - shard_hint
            pipe.xadd(UNREADABLE_STREAM, cast("dict[Any, Any]", entry.fields))
            pipe.xack(STREAM, CONSUMER_GROUP, entry.id)
            pipe.xdel(STREAM, entry.id)
            pipe.execute()

    def requeue_unreadable(self) -> int:
        """Return unreadable entries to the stream; returns their number.

        Of workers that start together one succeeds, so that no entry is returned twice.
        """
        with self.redis.pipeline(transaction=True) as pipe:  # pyright: ignore[reportUnknownMemberType] - shard_hint
            pipe.watch(UNREADABLE_STREAM)
            unreadable = self._entries(pipe.xrange(UNREADABLE_STREAM, count=1000))
            pipe.multi()
            for entry_id, fields in unreadable:
                pipe.xadd(STREAM, cast("dict[Any, Any]", fields))
                pipe.xdel(UNREADABLE_STREAM, entry_id)
            try:
                pipe.execute()
            except WatchError:
                return 0
        return len(unreadable)

    def remove_consumer(self) -> None:
        """Remove this consumer, unless it has pending entries, which other workers then claim."""
        for consumer in self.redis.xinfo_consumers(STREAM, CONSUMER_GROUP):
            if consumer["name"] == self.consumer_name.encode() and not consumer["pending"]:
                self.redis.xgroup_delconsumer(STREAM, CONSUMER_GROUP, self.consumer_name)

    def remove_dead_consumers(self, idle_ms: int = DEAD_CONSUMER_AFTER_MS) -> None:
        """Remove consumers without pending entries that have been idle for `idle_ms`."""
        for consumer in self.redis.xinfo_consumers(STREAM, CONSUMER_GROUP):
            if not consumer["pending"] and consumer["idle"] >= idle_ms:
                self.redis.xgroup_delconsumer(STREAM, CONSUMER_GROUP, consumer["name"])

    def has_work(self) -> bool:
        """Whether a drain would find entries: new, abandoned, or acknowledged and not deleted."""
        info = self._group_info()
        pending = 0 if info is None else cast("int", info["pending"])
        return self.length() > pending or (pending > 0 and bool(self._pending(1, idle_ms=ABANDONED_AFTER_MS)))

    def length(self) -> int:
        return self.redis.xlen(STREAM)

    def newest_fields(self, count: int) -> list[EntryFields]:
        """The newest entries' fields."""
        return [fields for _, fields in self._entries(self.redis.xrevrange(STREAM, count=count))]

    def oldest_appended_at(self) -> int | None:
        """Time of the oldest entry's append in milliseconds by Redis' clock; None for an empty stream."""
        oldest = self._entries(self.redis.xrange(STREAM, count=1))
        return int(oldest[0][0].split(b"-")[0]) if oldest else None

    @staticmethod
    def _entries(reply: object) -> list[tuple[bytes, EntryFields]]:
        return cast("list[tuple[bytes, EntryFields]]", reply)

    def _pending(self, count: int, *, idle_ms: int | None = None) -> Sequence[dict[str, object]]:
        pending = self.redis.xpending_range(STREAM, CONSUMER_GROUP, "-", "+", count, idle=idle_ms)
        return cast("list[dict[str, object]]", pending)

    def _group_info(self) -> dict[str, object] | None:
        try:
            groups = cast("list[dict[str, object]]", self.redis.xinfo_groups(STREAM))
        except ResponseError:  # no such key
            return None
        return next((group for group in groups if group["name"] == CONSUMER_GROUP.encode()), None)
