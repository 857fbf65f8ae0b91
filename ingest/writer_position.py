"""Tracks the positions of this process's writers, and of those whose files it has adopted."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WriterPosition:
    writer: str
    number: int = 0
    """The number of its newest batch, or 0 before the first."""
    acknowledged_events: int = 0


class FormerWriters:
    """Writers that have ended.

    A writer is removed when all its batches were sent to the stream and its end was reported for REPEAT_SECONDS.
    """

    def __init__(self) -> None:
        self.positions: dict[str, WriterPosition] = {}
        """The last known position of each, by writer."""

    def remove(self, positions: Iterable[WriterPosition]) -> None:
        """Remove writers, unless a later position of them became known in the meantime."""
        for position in positions:
            if self.positions.get(position.writer) == position:
                del self.positions[position.writer]

    def add(self, position: WriterPosition) -> None:
        """Add a writer, or a later position of it."""
        if position.number >= self.positions.get(position.writer, position).number:
            self.positions[position.writer] = position
