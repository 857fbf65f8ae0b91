"""Reads the position of the workers' consumer group: the entries that are not committed, among those that are kept.

Pure, so that ingest's asynchronous client and the worker's synchronous one share it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from ingest.queue import entry_ids
from ingest.queue.contract import CONSUMER_GROUP


@dataclass(frozen=True, slots=True)
class GroupPosition:
    """The reply of XINFO GROUPS about the workers' group."""

    last_delivered_id: bytes
    pending: int
    """Entries that a worker has read and not committed yet."""
    lag: int | None
    """Entries that no worker has read; None where Redis cannot tell: before 7.0, or after deletions among them."""

    @property
    def uncommitted(self) -> int | None:
        """Entries that are not committed; None where Redis cannot tell."""
        return None if self.lag is None else self.pending + max(self.lag, 0)


def position(groups: Iterable[Mapping[str, object]]) -> GroupPosition | None:
    """The position of the workers' group; None if it does not exist."""
    for group in groups:
        if group["name"] == CONSUMER_GROUP.encode():
            return GroupPosition(
                cast("bytes", group["last-delivered-id"]),
                cast("int", group["pending"]),
                cast("int | None", group.get("lag")),
            )
    return None


def committed_before(group: GroupPosition, oldest_pending: bytes | None) -> bytes:
    """All entries with smaller ids are committed; `oldest_pending` must have been read after the group's position."""
    undelivered = entry_ids.successor(group.last_delivered_id)
    return undelivered if oldest_pending is None else min(undelivered, oldest_pending, key=entry_ids.parse)
