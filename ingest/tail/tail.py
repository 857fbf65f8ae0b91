"""Remembers the newest batches that Redis confirmed until Redis is known to have kept them.

Batches are in files. They are in memory if a file was not written in time, or if no file is needed, because each reply
of Redis proves that the batch is on its disk.
"""

import errno
import itertools
import logging
import math
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ingest.queue.contract import EntryFields
from ingest.queue.entry_ids import EntryId
from ingest.tail import tail_group
from ingest.tail.redis_identity import RedisIdentity
from ingest.tail.tail_file import Written
from ingest.tail.tail_files import TailFiles
from ingest.tail.tail_group import OVERHEAD_BYTES, TailGroup
from ingest.writer_position import WriterPosition

UNWRITTEN = Written(0)
"""The mark of batches that are only in memory, because the reply of Redis proves that they are on its disk."""

log = logging.getLogger("ingest")


class Tail:
    """The groups that Redis confirmed in the last TAIL_SECONDS.

    A group that was sent again is remembered for the same time, or until the workers have stored it. Otherwise a Redis
    that is lost every few seconds would receive more and more groups again.
    """

    def __init__(self, directory: Path, seconds: float, max_bytes: int) -> None:
        """Create a tail. `seconds` is 0 to remember nothing."""
        self.seconds = seconds
        self.max_bytes = max_bytes
        self.size_bytes = 0
        """The size of the groups, as counted against the limit."""
        self._directory = directory
        self.identity = RedisIdentity()
        self._groups: deque[TailGroup] = deque()
        """The groups that were sent once, oldest first."""
        self._resent_groups: deque[TailGroup] = deque()
        """The groups that were sent again, in the order in which they were sent last."""
        self._cut_at = -math.inf
        """The time of the newest group that was dropped, because of the limit or because it could not be read."""
        self._files: TailFiles | None = None
        self._has_unwritten = False
        """True if a group may be in no file, because Redis had proved that the group is on its disk."""

    @property
    def has_due(self) -> bool:
        """True if some groups were confirmed by another Redis than the present one."""
        resent, groups = self._resent_groups, self._groups
        return bool((resent and self._is_due(resent[0])) or (groups and self._is_due(groups[0])))

    @property
    def due_events(self) -> int:
        """The number of events to send again."""
        return sum(group.events for group in self._due())

    @property
    def covered_seconds(self) -> float:
        """The time in seconds for which events are remembered: TAIL_SECONDS, or less if they exceed TAIL_MAX_BYTES."""
        cut_at = max(self._cut_at, self._files.cut_at) if self._files else self._cut_at
        return min(self.seconds, time.monotonic() - cut_at)

    @property
    def is_proven_by_redis(self) -> bool:
        """True while Redis replies only after its sync, so that no file is written."""
        return self._files is not None and time.monotonic() < self.identity.proven_until

    @property
    def file_problem(self) -> str | None:
        """The reason why the tail is only in memory, or None if it is also in files."""
        return self._files.unusable_reason if self._files else None

    def open(self, position: WriterPosition) -> None:
        """Start the files of the writer at this position."""
        if self.seconds:
            self._files = TailFiles(self._directory, self.seconds, self.max_bytes, position)

    def write(self, entries: Sequence[EntryFields], size_bytes: int) -> Written | None:
        """Start to write batches that are being sent. The result is for `add`."""
        if self._files is None:
            return None
        now = time.monotonic()
        return UNWRITTEN if now < self.identity.proven_until else self._files.write(entries, size_bytes, now)

    async def add(
        self, written: Written | None, entries: Sequence[EntryFields], events: int, size_bytes: int, redis_number: int
    ) -> None:
        """Remember batches that Redis confirmed. Return when they are in a file, or when the disk is too slow."""
        if self._files is None or written is None:
            return
        now = time.monotonic()
        part = written.part
        if part is not None and not part.file.is_deleted:
            part.file.newest_at = now
            # Memory that is kept for seconds makes each new batch fill fresh pages.
            size = part.end - part.start + OVERHEAD_BYTES
            self._remember(TailGroup((), events, size, now, now, redis_number, part), self._groups)
            return
        group = TailGroup(entries, events, size_bytes + OVERHEAD_BYTES, now, now, redis_number)
        if written is UNWRITTEN:
            group.is_unwritten = self._has_unwritten = True
        self._remember(group, self._groups)
        await self._files.wait(written.ticket)

    def first_due(self, max_bytes: int, max_entries: int) -> list[TailGroup]:
        """Return the oldest groups that are due, as many as can be sent again at once."""
        return tail_group.first(self._due(), max_bytes, max_entries)

    async def read(self, groups: Sequence[TailGroup]) -> list[EntryFields]:
        """Return the batches of groups. Raises OSError.

        Groups that can no longer be read are forgotten first, so that the others can be read next time.
        """
        parts = [group.part for group in groups if group.part is not None]
        found = await self._files.read(parts) if self._files and parts else {}
        lost = [group for group in groups if group.part is not None and group.part not in found]
        for group in lost:
            self._remove(group)
            self._cut_at = max(self._cut_at, group.first_sent_at)
        if lost:
            log.error("%d events of the tail cannot be read from its files", sum(group.events for group in lost))
            raise OSError(errno.EIO, "a part of the tail cannot be read")
        return [entry for group in groups for entry in (found[group.part] if group.part else group.entries)]

    def confirm_again(self, groups: Sequence[TailGroup], redis_number: int, last_id: EntryId) -> None:
        """Remember groups that Redis confirmed again under ids up to `last_id`.

        They were due or belong to a dead process.
        """
        now = time.monotonic()
        for group in groups:
            self._remove(group)
            if self.seconds:
                again = replace(group, sent_at=now, redis_number=redis_number, last_id=last_id)
                self._remember(again, self._resent_groups)

    def holds(self, orphan: object) -> bool:
        """Return whether groups from a dead process's file are remembered, so that the file is still needed."""
        return any(group.orphan is orphan for group in self._resent_groups)

    def maintain(self, position: WriterPosition) -> None:
        """Forget what is old enough. Call this about once a second with the position of the current writer."""
        if self._files is not None:
            self._forget_expired()
            if self.has_due or not self.is_proven_by_redis:
                self._write_unwritten(self._files)
            resent_at = (group.first_sent_at for group in self._resent_groups if group.orphan is None)
            self._files.maintain(position, min((self._keep_since, *resent_at)))

    async def close(self) -> None:
        """Leave the files to the next process, which resends the batches and reports the end of the writers."""
        if self._files is not None:
            self._write_unwritten(self._files)
            await self._files.close()

    def _write_unwritten(self, files: TailFiles) -> None:
        """Start to write the groups that are only in memory because Redis had proved that they are on its disk."""
        if self._has_unwritten:
            self._has_unwritten = False
            for group in self._resent_groups + self._groups:
                if group.is_unwritten:
                    group.is_unwritten = False
                    files.write_later(group.entries, group.sent_at)

    @property
    def _keep_since(self) -> float:
        """The time of the oldest groups to remember, by the monotonic clock."""
        # Nothing expires while Redis is unavailable, because it is not known yet which batches Redis has kept.
        return -math.inf if self.has_due else self.identity.seen_at - self.seconds

    def _due(self) -> Iterator[TailGroup]:
        known = (self._resent_groups, self._groups)
        return itertools.chain.from_iterable(itertools.takewhile(self._is_due, groups) for groups in known)

    def _is_due(self, group: TailGroup) -> bool:
        return group.redis_number != self.identity.redis_number

    def _remove(self, group: TailGroup) -> None:
        """Remove the group if it is still remembered. The limit may have removed it."""
        known = self._resent_groups if group.last_id > (0, 0) else self._groups
        if group.redis_number and group in known:
            known.remove(group)
            self.size_bytes -= group.size_bytes

    def _remember(self, group: TailGroup, groups: deque[TailGroup]) -> None:
        # Due groups come first, including one that another Redis confirmed late.
        groups.appendleft(group) if self._is_due(group) else groups.append(group)
        self.size_bytes += group.size_bytes
        if self.size_bytes > self.max_bytes:
            self._forget_expired()
        while self.size_bytes > self.max_bytes:
            self._cut_at = max(self._cut_at, self._pop(self._resent_groups or self._groups).first_sent_at)

    def _forget_expired(self) -> None:
        keep_since = self._keep_since
        while self._groups and self._groups[0].sent_at < keep_since:
            self._pop(self._groups)
        while self._resent_groups and self._is_safe(self._resent_groups[0], keep_since):
            self._pop(self._resent_groups)

    def _is_safe(self, group: TailGroup, keep_since: float) -> bool:
        is_stored = group.last_id < self.identity.committed_before
        return group.sent_at < keep_since or (is_stored and group.first_sent_at < keep_since)

    def _pop(self, groups: deque[TailGroup]) -> TailGroup:
        group = groups.popleft()
        self.size_bytes -= group.size_bytes
        return group
