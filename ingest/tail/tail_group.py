"""Groups batches that are sent to the stream together."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ingest.queue.contract import EntryFields
from ingest.queue.entry_ids import EntryId
from ingest.tail.tail_file import FilePart

MAX_BYTES = 4 << 20
"""The size limit for sending again at once."""
OVERHEAD_BYTES = 512
"""The approximate size of a group in memory in addition to its content, in bytes."""


@dataclass(slots=True, eq=False)
class TailGroup:
    """Batches that were sent together, usually one.

    Not frozen, because every new batch creates a group and freezing takes time.
    """

    entries: Sequence[EntryFields]
    """The batches, or nothing if they are in `part`."""
    events: int
    size_bytes: int
    first_sent_at: float = -math.inf
    """The time when this process first sent it, by the monotonic clock."""
    sent_at: float = -math.inf
    """The time when it was last sent."""
    redis_number: int = 0
    """The number of the Redis that last confirmed it, or 0 before the first confirmation."""
    part: FilePart | None = None
    """The part of a file of this process that contains the batches, or None if they are in memory."""
    last_id: EntryId = (0, 0)
    """If it was sent again, an id that is not smaller than those of its entries."""
    orphan: object = None
    """The dead process's file that it comes from, or None if it belongs to this process."""
    is_unwritten: bool = False
    """True if the batches are in no file, because Redis had proved that they are on its disk."""

    @property
    def batches(self) -> int:
        """The number of batches."""
        return len(self.entries) if self.part is None else self.part.batches


def first(groups: Iterable[TailGroup], max_bytes: int, max_entries: int) -> list[TailGroup]:
    """Return the first groups that can be sent again at once, at least one if there is any."""
    taken: list[TailGroup] = []
    size, entries = 0, 0
    for group in groups:
        size += group.size_bytes
        entries += group.batches
        if taken and (size > min(max_bytes, MAX_BYTES) or entries > max_entries):
            break
        taken.append(group)
    return taken
