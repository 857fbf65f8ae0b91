"""Returns unreadable entries to the stream, for a worker that may be newer than the one that set them aside."""

from typing import Any, cast

from redis import Redis
from redis.exceptions import OutOfMemoryError, WatchError

from ingest.queue.contract import STREAM
from worker.drain.stream import UNREADABLE_STREAM, EntryFields

PAGE = 100
"""Entries that are returned in one transaction."""
MAX_CONFLICTS = 20
"""Transactions in a row that changes by other workers may undo."""


def requeue(redis: Redis) -> int:
    """Return all unreadable entries to the stream; returns their number. Raises RedisError.

    Of workers that start together one succeeds with each entry, so that none is returned twice.
    """
    newest = cast("list[tuple[bytes, EntryFields]]", redis.xrevrange(UNREADABLE_STREAM, count=1))
    requeued = conflicts = 0
    # A worker that still cannot read an entry sets it aside again, behind this one.
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
                break  # they stay set aside until a worker starts with more room
    return requeued
