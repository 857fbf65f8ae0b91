"""Returns unreadable entries to the stream for a newer worker than the one that set them aside."""

from typing import Any, cast

from redis import Redis
from redis.exceptions import OutOfMemoryError, WatchError

from ingest.queue.contract import STREAM, EntryFields
from worker.drain.stream import UNREADABLE_STREAM

PAGE = 100
"""The number of entries that are returned in one transaction."""
MAX_CONFLICTS = 20
"""The number of consecutive transactions that may fail because of changes by other workers."""


def requeue(redis: Redis) -> int:
    """Return all unreadable entries to the stream. Return their number. Raises RedisError.

    If several workers start together, only one of them succeeds with each entry, so none is returned twice.
    """
    newest = cast("list[tuple[bytes, EntryFields]]", redis.xrevrange(UNREADABLE_STREAM, count=1))
    requeued = conflicts = 0
    # An entry that a worker still cannot read is set aside again, behind `newest`.
    while newest and conflicts < MAX_CONFLICTS:
        with redis.pipeline(transaction=True) as pipe:  # pyright: ignore[reportUnknownMemberType] - shard_hint
            pipe.watch(UNREADABLE_STREAM)
            page = cast(
                "list[tuple[bytes, EntryFields]]",
                pipe.xrange(UNREADABLE_STREAM, "-", newest[0][0].decode(), count=PAGE),
            )
            if not page:
                break
            pipe.multi()
            for entry_id, fields in page:
                pipe.xadd(STREAM, cast("dict[Any, Any]", fields))
                pipe.xdel(UNREADABLE_STREAM, entry_id)
            try:
                pipe.execute()
                requeued, conflicts = requeued + len(page), 0
            except WatchError:
                conflicts += 1
            except OutOfMemoryError:
                break  # the entries stay set aside until a worker starts while Redis has room
    return requeued
