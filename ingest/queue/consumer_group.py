"""Reads the position of the workers' consumer group: which of the entries in the stream are not committed.

It has no connection of its own, so that ingest's asynchronous client and the worker's synchronous one share it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from ingest.queue import entry_ids
from ingest.queue.contract import CONSUMER_GROUP


@dataclass(frozen=True, slots=True)
class GroupPosition:
    """The position of the workers' group as reported by XINFO GROUPS."""

    last_delivered_id: bytes
    pending: int
    """The number of entries that a worker has read but not committed."""
    lag: int | None
    """The number of entries that no worker has read. None if Redis cannot report it: before 7.0, or after deletions."""

    @property
    def uncommitted(self) -> int | None:
        """The number of entries that are not committed, or None if Redis cannot report it."""
        return None if self.lag is None else self.pending + max(self.lag, 0)


def position(groups: Iterable[Mapping[str, object]]) -> GroupPosition | None:
    """Return the position of the workers' group, or None if the group does not exist."""
    for group in groups:
        if group["name"] == CONSUMER_GROUP.encode():
            return GroupPosition(
                cast("bytes", group["last-delivered-id"]),
                cast("int", group["pending"]),
                cast("int | None", group.get("lag")),
            )
    return None


def committed_before(group: GroupPosition, oldest_pending: bytes | None) -> bytes:
    """Return an id before which all entries are committed.

    `oldest_pending` must have been read after the group's position.
    """
    undelivered = entry_ids.successor(group.last_delivered_id)
    return undelivered if oldest_pending is None else min(undelivered, oldest_pending, key=entry_ids.parse)
