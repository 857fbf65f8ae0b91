"""Remembers the newest batches that Redis confirmed, in memory and in files, until it is known to have kept them."""

import itertools
import math
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from ingest.tail import tail_group
from ingest.tail.redis_identity import RedisIdentity
from ingest.tail.tail_files import TailFiles
from ingest.tail.tail_group import OVERHEAD_BYTES, Entry, TailGroup
from ingest.writer_position import WriterPosition


class Tail:
    """The groups of the last seconds, oldest first."""

    def __init__(self, directory: Path, seconds: float, max_bytes: int) -> None:
        """`seconds` is 0 to remember nothing."""
        self.seconds = seconds
        self.max_bytes = max_bytes
        self.size_bytes = 0
        """Bytes in memory, as counted against the limit."""
        self._directory = directory
        self.identity = RedisIdentity()
        self._groups: deque[TailGroup] = deque()
        self._cut_at = -math.inf
        """When the newest group that the limit has pushed out was sent."""
        self._files: TailFiles | None = None

    @property
    def has_due(self) -> bool:
        """Whether groups were confirmed by another Redis than the present one."""
        return bool(self._groups) and self._is_due(self._groups[0])

    @property
    def due_events(self) -> int:
        """Events to send again."""
        return sum(group.events for group in itertools.takewhile(self._is_due, self._groups))

    @property
    def covered_seconds(self) -> float:
        """For how long back events are remembered: TAIL_SECONDS, or less where TAIL_MAX_BYTES does not hold them."""
        return min(self.seconds, time.monotonic() - self._cut_at)

    @property
    def file_problem(self) -> str | None:
        """Why the tail is in memory only; None if it is in files as well."""
        return self._files.unusable_reason if self._files else None

    def open(self, position: WriterPosition) -> None:
        """Begin the files of the writer at this position."""
        if self.seconds:
            self._files = TailFiles(self._directory, self.seconds, self.max_bytes, position)

    def write(self, entries: Sequence[Entry], size_bytes: int) -> int:
        """Begin to write batches that are being sent; returns the ticket for `add`."""
        return self._files.write(entries, size_bytes, time.monotonic()) if self._files else 0

    async def add(self, ticket: int, entries: Sequence[Entry], events: int, size_bytes: int, generation: int) -> None:
        """Remember batches that Redis confirmed, and return when they are in a file, or the disk was too slow."""
        if self._files is None:
            return
        group = TailGroup(entries, events, size_bytes + OVERHEAD_BYTES, time.monotonic(), generation)
        # Due groups are the oldest ones, also one that another Redis confirmed late.
        self._groups.appendleft(group) if self._is_due(group) else self._groups.append(group)
        self.size_bytes += group.size_bytes
        self._forget_expired()
        while self.size_bytes > self.max_bytes:
            self._cut_at = self._pop().sent_at
        await self._files.wait(ticket)

    def first_due(self, max_bytes: int) -> list[TailGroup]:
        """The oldest groups that are due, as many as can be sent again at once."""
        return tail_group.first(itertools.takewhile(self._is_due, self._groups), max_bytes)

    def settle(self, groups: Sequence[TailGroup]) -> None:
        """Forget groups that were sent again."""
        for group in groups:
            if group in self._groups:  # the limit may have pushed it out
                self._groups.remove(group)
                self.size_bytes -= group.size_bytes

    def maintain(self, position: WriterPosition) -> None:
        """Forget what is old enough; to be called about once a second, with the position of the present writer."""
        if self._files is not None:
            self._forget_expired()
            self._files.maintain(position, self._expired_at)

    async def close(self, *, is_needed: bool) -> None:
        """Leave the files to the next process if they are needed to end the writers, or have batches to send again."""
        if self._files is not None:
            self._forget_expired()
            await self._files.close(delete=not self._groups and not is_needed)

    @property
    def _expired_at(self) -> float:
        # Not by the clock alone: while Redis is away, nobody knows what it has kept.
        return -math.inf if self.has_due else self.identity.seen_at - self.seconds

    def _is_due(self, group: TailGroup) -> bool:
        return group.generation != self.identity.generation

    def _forget_expired(self) -> None:
        while self._groups and self._groups[0].sent_at < self._expired_at:
            self._pop()

    def _pop(self) -> TailGroup:
        group = self._groups.popleft()
        self.size_bytes -= group.size_bytes
        return group
