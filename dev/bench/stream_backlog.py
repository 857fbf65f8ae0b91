"""Fills the stream like ingest does when no worker runs, and waits until it is empty."""

import json
import time
from dataclasses import dataclass
from typing import Any, cast

import redis

from dev.bench.errors import WrongResultError
from dev.bench.load.sample_webhooks import SampleSenders
from ingest.queue import consumer_group, contract
from worker.drain.stream import StreamConsumer

POLL_SECONDS = 0.005
PIPELINE_ENTRIES = 1000


@dataclass(frozen=True, slots=True)
class Backlog:
    events: int
    body_bytes: int
    """The size of the raw bodies."""


def fill(client: "redis.Redis", senders: SampleSenders, count: int, *, events_per_entry: int = 1) -> None:
    """Put this many events into the stream, in entries of this size; 1 for events that arrive singly."""
    writer = senders.id_prefix.lower().rjust(32, "0")
    now = int(time.time() * 1000)
    with client.pipeline(transaction=False) as pipe:  # pyright: ignore[reportUnknownMemberType] - shard_hint
        for entry, first in enumerate(range(0, count, events_per_entry), 1):
            bodies = tuple(senders.body(number) for number in range(first, min(first + events_per_entry, count)))
            batch = contract.RawBatch(writer, entry, first + len(bodies), (now,) * len(bodies), bodies)
            pipe.xadd(contract.STREAM, cast("dict[Any, Any]", contract.to_fields(batch)))
            if entry % PIPELINE_ENTRIES == 0:
                pipe.execute()
        pipe.execute()


def entry_count(client: "redis.Redis") -> int:
    """Return the number of entries that are not committed. One cheap command, because it is polled."""
    try:
        position = consumer_group.position(cast("list[dict[str, object]]", client.xinfo_groups(contract.STREAM)))
    except redis.ResponseError:
        return 0  # no stream
    uncommitted = None if position is None else position.uncommitted
    return StreamConsumer(client, "bench").state().uncommitted if uncommitted is None else uncommitted


def measure(client: "redis.Redis") -> Backlog:
    """Return the entries that are not committed."""
    events = size = 0
    last = (StreamConsumer(client, "bench").state().committed_before or b"-").decode()
    while entries := cast(
        "list[tuple[bytes, dict[bytes, bytes]]]", client.xrange(contract.STREAM, last, count=PIPELINE_ENTRIES)
    ):
        for _, fields in entries:
            events += len(json.loads(fields[b"head"])["sizes"])
            size += len(fields[b"bodies"])
        last = f"({entries[-1][0].decode()}"
    return Backlog(events, size)


def wait_until_empty(client: "redis.Redis", timeout_seconds: float) -> float:
    """Return the time (by time.time) at which nothing waits any more. Entries are acknowledged after their COMMIT."""
    deadline = time.perf_counter() + timeout_seconds
    while entry_count(client):
        if time.perf_counter() > deadline:
            raise WrongResultError(f"{entry_count(client)} entries were still waiting after {timeout_seconds:g} s.")
        time.sleep(POLL_SECONDS)
    return time.time()
