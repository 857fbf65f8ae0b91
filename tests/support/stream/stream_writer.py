"""Writes events into the stream like ingest: in numbered, acknowledged batches."""

import secrets
import time
from collections.abc import Iterable, Sequence
from typing import Any, cast

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import Queue
from rq.serializers import JSONSerializer

from ingest.queue import contract


def connect(url: str) -> Redis:
    """Return a client that never sends a command twice."""
    return Redis.from_url(url, retry=Retry(NoBackoff(), 0), protocol=2)  # pyright: ignore[reportUnknownMemberType] - **kwargs


class StreamWriter:
    """A writer."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self.writer = secrets.token_hex(16)
        self.written_bodies: list[bytes] = []
        """Every body that is in the stream or was."""
        self._number = 0

    def append(self, bodies: Sequence[bytes]) -> bytes:
        """Append one batch and return the entry's id."""
        self._number += 1
        self.written_bodies += bodies
        receipts = (time.time_ns() // 1_000_000,) * len(bodies)
        batch = contract.RawBatch(self.writer, self._number, len(self.written_bodies), receipts, tuple(bodies))
        return self.append_fields(contract.to_fields(batch))

    def append_all(self, bodies: Iterable[bytes], *, events_per_batch: int = 10) -> None:
        """Append the bodies in batches of this size."""
        rest = list(bodies)
        for start in range(0, len(rest), events_per_batch):
            self.append(rest[start : start + events_per_batch])

    def append_fields(self, fields: dict[bytes, bytes]) -> bytes:
        """Append an arbitrary entry."""
        return cast("bytes", self.redis.xadd(contract.STREAM, cast("dict[Any, Any]", fields)))

    def enqueue_drain(self) -> None:
        """Enqueue one drain job."""
        Queue(contract.RQ_QUEUE, connection=self.redis, serializer=JSONSerializer).enqueue(  # pyright: ignore[reportUnknownMemberType] - RQ's arguments are any
            contract.RQ_JOB, job_timeout=30, result_ttl=0, failure_ttl=300
        )
