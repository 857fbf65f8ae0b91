"""Groups batches that are sent to the stream together."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Entry: TypeAlias = Mapping[bytes, bytes]
"""The fields of a stream entry: `head` and `bodies`."""

MAX_ENTRIES = 128
MAX_BYTES = 4 << 20
"""Bounds of what is sent again at once."""
OVERHEAD_BYTES = 512
"""Approximate bytes of a group in memory besides its content."""


@dataclass(frozen=True, slots=True, eq=False)
class TailGroup:
    entries: Sequence[Entry]
    events: int
    size_bytes: int
    sent_at: float = 0.0
    """When it was sent, by the monotonic clock."""
    generation: int = 0
    """The generation of the Redis that confirmed it; 0 if another process sent it."""


def first(groups: Iterable[TailGroup], max_bytes: int) -> list[TailGroup]:
    """The first groups that can be sent again at once; at least one if there is any."""
    taken: list[TailGroup] = []
    size, entries = 0, 0
    for group in groups:
        size += group.size_bytes
        entries += len(group.entries)
        if taken and (size > min(max_bytes, MAX_BYTES) or entries > MAX_ENTRIES):
            break
        taken.append(group)
    return taken
