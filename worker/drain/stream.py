"""The reading end of the stream: entries are taken, held while they are worked on, and removed after COMMIT."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from redis import Redis
from redis.exceptions import ResponseError, WatchError

from ingest.queue import contract

ABANDONED_AFTER_MS = 5_000
"""Milliseconds after which an entry that nobody refreshed is taken for left by a dead worker."""

DEAD_CONSUMER_AFTER_MS = 86_400_000
"""Milliseconds after which a consumer without anything in hand is taken for one of a dead worker."""

UNREADABLE_STREAM = f"{contract.STREAM}:unreadable"
"""Entries that no worker could read so far."""

EntryFields: TypeAlias = dict[bytes, bytes]


@dataclass(frozen=True, slots=True)
class StreamEntry:
    id: bytes
    fields: EntryFields
    deaths: int
    """How many workers took it before and never said what became of it."""


class StreamConsumer:
    """The stream as one consumer of the group sees it."""

    def __init__(self, redis: Redis, consumer_name: str) -> None:
        self.redis = redis
        self.consumer_name = consumer_name

    def ensure_group(self) -> None:
        """Make stream and group where they are not: at first, and when Redis came back empty."""
        try:
            self.redis.xgroup_create(contract.STREAM, contract.CONSUMER_GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    def read_new(self, count: int, *, block_ms: int | None = None) -> list[StreamEntry]:
        """Up to `count` entries that nobody took yet, waiting for the first as long as `block_ms` says."""
        try:
            reply = self.redis.xreadgroup(
                contract.CONSUMER_GROUP, self.consumer_name, {contract.STREAM: ">"}, count=count, block=block_ms
            )
        except ResponseError as error:
            if not str(error).startswith("NOGROUP"):
                raise
            self.ensure_group()
            return []
        streams = cast("list[tuple[bytes, list[tuple[bytes, EntryFields | None]]]]", reply or [])
        return [
            StreamEntry(entry, fields, 0) for _, entries in streams for entry, fields in entries if fields is not None
        ]

    def claim_abandoned(self, count: int) -> list[StreamEntry]:
        """Up to `count` entries that a worker took and then nobody refreshed for long."""
        try:
            pending = cast(
                "list[dict[str, int | bytes]]",
                self.redis.xpending_range(
                    contract.STREAM, contract.CONSUMER_GROUP, "-", "+", count, idle=ABANDONED_AFTER_MS
                ),
            )
        except ResponseError as error:
            if not str(error).startswith("NOGROUP"):
                raise
            return []
        deaths = {cast("bytes", entry["message_id"]): cast("int", entry["times_delivered"]) for entry in pending}
        if not deaths:
            return []
        # Claims only what is still as idle: of two workers that look at once, one gets it.
        claimed = cast(
            "list[tuple[bytes, EntryFields | None]]",
            self.redis.xclaim(
                contract.STREAM, contract.CONSUMER_GROUP, self.consumer_name, ABANDONED_AFTER_MS, list(deaths)
            ),
        )
        return [StreamEntry(entry, fields, deaths[entry]) for entry, fields in claimed if fields is not None]

    def read_acknowledged(self, count: int) -> list[StreamEntry]:
        """Entries that are acknowledged and still there: a failover may keep the one and lose the other."""
        info = self._group_info()
        if info is None:
            return []
        known = {entry["message_id"] for entry in self._pending_entries(count)}
        found = cast(
            "list[tuple[bytes, EntryFields | None]]",
            self.redis.xrange(contract.STREAM, "-", cast("bytes", info["last-delivered-id"]), count=count),
        )
        return [StreamEntry(entry, fields, 0) for entry, fields in found if entry not in known and fields is not None]

    def refresh_claims(self, ids: Sequence[bytes]) -> None:
        """Say that this consumer is alive and working on these entries."""
        if ids:
            self.redis.xclaim(contract.STREAM, contract.CONSUMER_GROUP, self.consumer_name, 0, list(ids), justid=True)

    def reset_delivery_counts(self, ids: Sequence[bytes]) -> None:
        """Say that the entries were not the death of this worker, although it could not store them."""
        if ids:
            self.redis.xclaim(
                contract.STREAM, contract.CONSUMER_GROUP, self.consumer_name, 0, list(ids), retrycount=0, justid=True
            )

    def acknowledge_and_delete(self, ids: Sequence[bytes]) -> None:
        """Acknowledge and remove entries, both or neither; strictly after COMMIT."""
        for some in (ids[start : start + 1000] for start in range(0, len(ids), 1000)):
            with self.redis.pipeline(transaction=True) as pipe:  # pyright: ignore[reportUnknownMemberType] - shard_hint
                pipe.xack(contract.STREAM, contract.CONSUMER_GROUP, *some)
                pipe.xdel(contract.STREAM, *some)
                pipe.execute()

    def set_aside_unreadable(self, entry: StreamEntry) -> None:
        """Move an entry that this worker cannot read to a stream of its own, where a newer worker finds it."""
        with self.redis.pipeline(transaction=True) as pipe:  # pyright: ignore[reportUnknownMemberType] - shard_hint
            pipe.xadd(UNREADABLE_STREAM, cast("dict[Any, Any]", entry.fields))
            pipe.xack(contract.STREAM, contract.CONSUMER_GROUP, entry.id)
            pipe.xdel(contract.STREAM, entry.id)
            pipe.execute()

    def requeue_unreadable(self) -> int:
        """Return what was put aside to the stream; says how much.

        Of workers that start together one does it: each entry returned by each of them would multiply.
        """
        with self.redis.pipeline(transaction=True) as pipe:  # pyright: ignore[reportUnknownMemberType] - shard_hint
            pipe.watch(UNREADABLE_STREAM)
            aside = self._as_entries(pipe.xrange(UNREADABLE_STREAM, count=1000))
            pipe.multi()
            for entry_id, fields in aside:
                pipe.xadd(contract.STREAM, cast("dict[Any, Any]", fields))
                pipe.xdel(UNREADABLE_STREAM, entry_id)
            try:
                pipe.execute()
            except WatchError:
                return 0
        return len(aside)

    def remove_consumer(self) -> None:
        """Let the group forget this consumer, unless it still has something in hand, which others then take over."""
        consumers = self.redis.xinfo_consumers(contract.STREAM, contract.CONSUMER_GROUP)
        for consumer in cast("list[dict[str, object]]", consumers):
            if consumer["name"] == self.consumer_name.encode() and not consumer["pending"]:
                self.redis.xgroup_delconsumer(contract.STREAM, contract.CONSUMER_GROUP, self.consumer_name)

    def remove_dead_consumers(self, idle_ms: int = DEAD_CONSUMER_AFTER_MS) -> None:
        """Let the group forget consumers of workers that died, once they have nothing in hand and are long silent."""
        consumers = self.redis.xinfo_consumers(contract.STREAM, contract.CONSUMER_GROUP)
        for consumer in consumers:
            if not consumer["pending"] and consumer["idle"] >= idle_ms:
                self.redis.xgroup_delconsumer(contract.STREAM, contract.CONSUMER_GROUP, consumer["name"])

    def has_work(self) -> bool:
        """Whether there is anything that a drain could do: entries that are new, abandoned, or left over."""
        info = self._group_info()
        if info is None:
            return self.redis.xlen(contract.STREAM) > 0
        pending = cast("int", info["pending"])
        length = self.redis.xlen(contract.STREAM)
        if length > pending:
            return True
        return pending > 0 and bool(
            self.redis.xpending_range(contract.STREAM, contract.CONSUMER_GROUP, "-", "+", 1, idle=ABANDONED_AFTER_MS)
        )

    def length(self) -> int:
        return self.redis.xlen(contract.STREAM)

    def newest_fields(self, count: int) -> list[EntryFields]:
        """The newest entries' fields."""
        return [fields for _, fields in self._as_entries(self.redis.xrevrange(contract.STREAM, count=count))]

    def oldest_appended_at(self) -> int | None:
        """When the oldest entry was appended, in ms by Redis' clock; None if there is none."""
        oldest = self._as_entries(self.redis.xrange(contract.STREAM, count=1))
        return int(oldest[0][0].split(b"-")[0]) if oldest else None

    @staticmethod
    def _as_entries(reply: object) -> list[tuple[bytes, EntryFields]]:
        return cast("list[tuple[bytes, EntryFields]]", reply)

    def _pending_entries(self, count: int) -> Iterable[dict[str, object]]:
        return cast(
            "list[dict[str, object]]",
            self.redis.xpending_range(contract.STREAM, contract.CONSUMER_GROUP, "-", "+", count),
        )

    def _group_info(self) -> dict[str, object] | None:
        try:
            groups = cast("list[dict[str, object]]", self.redis.xinfo_groups(contract.STREAM))
        except ResponseError:  # no such key
            return None
        return next((group for group in groups if group["name"] == contract.CONSUMER_GROUP.encode()), None)
