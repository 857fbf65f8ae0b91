"""The stream as ingest leaves it while no worker runs: filled directly, and watched until it is empty."""

import json
import time
from dataclasses import dataclass
from typing import Any, cast

import redis

from dev.bench.errors import WrongError
from dev.bench.sample_webhooks import Crowd
from ingest.queue import contract

LOOK = 0.005
PORTION = 1000


@dataclass(frozen=True, slots=True)
class Waiting:
    events: int
    bytes: int
    """Of raw bodies."""


def fill(client: "redis.Redis", crowd: Crowd, count: int, *, size: int = 1) -> None:
    """Put so many events into the stream, as entries of this size: 1 is what comes one by one."""
    writer = crowd.name.lower().rjust(32, "0")
    now = int(time.time() * 1000)
    with client.pipeline(transaction=False) as pipe:  # pyright: ignore[reportUnknownMemberType] - shard_hint
        for entry, first in enumerate(range(0, count, size), 1):
            bodies = tuple(crowd.body(number) for number in range(first, min(first + size, count)))
            batch = contract.Batch(writer, entry, first + len(bodies), (now,) * len(bodies), bodies)
            pipe.xadd(contract.STREAM, cast("dict[Any, Any]", contract.to_fields(batch)))
            if entry % PORTION == 0:
                pipe.execute()
        pipe.execute()


def length(client: "redis.Redis") -> int:
    return client.xlen(contract.STREAM)


def count(client: "redis.Redis") -> Waiting:
    """What the stream holds, entry by entry."""
    events = size = 0
    last = "-"
    while entries := cast(
        "list[tuple[bytes, dict[bytes, bytes]]]", client.xrange(contract.STREAM, last, count=PORTION)
    ):
        for _, fields in entries:
            events += len(json.loads(fields[b"head"])["sizes"])
            size += len(fields[b"bodies"])
        last = f"({entries[-1][0].decode()}"
    return Waiting(events, size)


def drained(client: "redis.Redis", seconds: float) -> float:
    """The moment (by time.time) when nothing waits any more: entries go strictly after their COMMIT."""
    deadline = time.perf_counter() + seconds
    while length(client):
        if time.perf_counter() > deadline:
            raise WrongError(f"{length(client)} entries were still waiting after {seconds:g} s.")
        time.sleep(LOOK)
    return time.time()
