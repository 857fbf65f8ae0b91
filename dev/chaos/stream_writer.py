"""Puts events into the stream as ingest does, without ingest: whole batches, numbered, all acknowledged."""

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


def client(url: str) -> Redis:
    """A client that sends nothing twice."""
    return Redis.from_url(url, retry=Retry(NoBackoff(), 0), protocol=2)  # pyright: ignore[reportUnknownMemberType] - **kwargs


class Feed:
    """One writer."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self.writer = secrets.token_hex(16)
        self.kept: list[bytes] = []
        """Every body that is in the stream or was."""
        self._number = 0

    def add(self, bodies: Sequence[bytes]) -> bytes:
        """Append one batch; returns the entry's id."""
        self._number += 1
        self.kept += bodies
        receipts = (time.time_ns() // 1_000_000,) * len(bodies)
        batch = contract.Batch(self.writer, self._number, len(self.kept), receipts, tuple(bodies))
        return self.put(contract.to_fields(batch))

    def add_all(self, bodies: Iterable[bytes], *, size: int = 10) -> None:
        """Append the bodies in batches of a size."""
        rest = list(bodies)
        for start in range(0, len(rest), size):
            self.add(rest[start : start + size])

    def put(self, fields: dict[bytes, bytes]) -> bytes:
        """Append any entry."""
        return cast("bytes", self.redis.xadd(contract.STREAM, cast("dict[Any, Any]", fields)))

    def hint(self) -> None:
        """Queue one drain."""
        Queue(contract.QUEUE, connection=self.redis, serializer=JSONSerializer).enqueue(  # pyright: ignore[reportUnknownMemberType] - RQ's arguments are any
            contract.JOB, job_timeout=30, result_ttl=0, failure_ttl=300
        )
