"""Checks that the keys of the queue have the right types in Redis, because another program may have written one."""

from collections.abc import Mapping
from typing import cast

from redis import Redis

from ingest.queue import contract
from store.doctor.finding import Finding, broken, ok
from worker.drain.stream import UNREADABLE_STREAM

OUR_TYPES: Mapping[str, str] = {
    contract.STREAM: "stream",
    UNREADABLE_STREAM: "stream",
    contract.WRITERS: "hash",
    contract.DATABASE: "hash",
}
"""The type of each of our keys, in the terms of TYPE."""
RQ_TYPES: Mapping[str, str] = {
    "rq:queues": "set",
    "rq:workers": "set",
    f"rq:workers:{contract.RQ_QUEUE}": "set",
    contract.RQ_QUEUE_KEY: "list",
    contract.RQ_INTERMEDIATE_KEY: "list",
    contract.RQ_STARTED_KEY: "zset",
    f"rq:failed:{contract.RQ_QUEUE}": "zset",
}
"""The type of each key of RQ."""


def check(client: Redis) -> list[Finding]:
    """Return a finding for each key of a wrong type, or one finding that all types are right. Raises RedisError."""
    findings: list[Finding] = []
    for key, needed in {**OUR_TYPES, **RQ_TYPES}.items():
        actual = cast("bytes", client.type(key)).decode()
        if actual in {needed, "none"}:
            continue
        remedy = f"Find out which program wrote it, and remove it: `redis-cli DEL {key}`."
        if key in RQ_TYPES:
            remedy += " It holds no event, RQ creates it anew, and workers drain without RQ until then."
        findings.append(broken("queue.keys", f"The key {key} is a {actual} and must be a {needed}.", remedy))
    return findings or [ok("queue.keys", "The keys of the queue have their types.")]
