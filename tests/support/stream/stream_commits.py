"""Acknowledges the entries of the stream in place of workers."""

import contextlib
from typing import cast

import redis

from ingest.queue import contract


def commit_all(client: redis.Redis) -> None:
    """Acknowledge all new entries of the workers' group, which is created if it is missing."""
    with contextlib.suppress(redis.ResponseError):
        client.xgroup_create(contract.STREAM, contract.CONSUMER_GROUP, id="0", mkstream=True)
    reply = client.xreadgroup(contract.CONSUMER_GROUP, "worker", {contract.STREAM: ">"})  # pyright: ignore[reportUnknownMemberType]
    for _, entries in cast("list[tuple[bytes, list[tuple[bytes, object]]]]", reply):
        client.xack(contract.STREAM, contract.CONSUMER_GROUP, *(entry_id for entry_id, _ in entries))
