"""Keeps committed entries in the stream for a while, up to a size limit.

If an asynchronous standby of PostgreSQL is promoted or a backup is restored, the newest commits are missing. The
kept entries contain the same batches, and workers apply them again (worker/drain/database_marker.py).
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from redis import Redis
from redis.exceptions import ResponseError

from ingest.queue import entry_ids
from ingest.queue.contract import STREAM
from worker.drain.stream import StreamState

DEFAULT_SHARE = 1 / 8
"""The share of maxmemory that kept entries may use if STREAM_KEEP_BYTES is not set."""
DEFAULT_BYTES = 256 << 20
"""The number of bytes that they may use if Redis has no maxmemory either."""
PRESSURE_SHARE = 0.6
"""The used share of maxmemory above which kept entries are removed. It is below the share at which ingest starts to
spool.
"""
_SAMPLES = 100
"""The number of the stream's nodes from which Redis estimates its size."""
_TRIM_LIMIT = 10_000
"""The number of entries that Redis removes at a time, so that it can serve others in between."""


@dataclass(frozen=True, slots=True)
class _Checkpoint:
    at: float
    """The time of the checkpoint, by the monotonic clock."""
    committed_before: bytes
    """The id below which every entry was committed at that time."""


class KeptEntries:
    """The kept entries. Each worker trims them; several workers agree within seconds."""

    def __init__(
        self,
        redis: Redis,
        keep_seconds: float,
        max_bytes: int | None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis = redis
        self._monotonic = monotonic
        self._keep_seconds = keep_seconds
        self._max_bytes = max_bytes
        self._checkpoints: deque[_Checkpoint] = deque()
        self._trimmed_before = b"0-0"
        self.size_bytes = 0
        """The estimated size of the kept entries in Redis' memory, in bytes."""
        self.limit_bytes: int | None = None
        """The size in bytes that they may take now, or None if Redis does not report its memory."""
        self._limited_at = float("-inf")

    @property
    def covered_seconds(self) -> float:
        """The time in seconds for which this worker knows that the stream contains every commit."""
        now = self._monotonic()
        trimmed = entry_ids.parse(self._trimmed_before)
        covering = (at.at for at in self._checkpoints if entry_ids.parse(at.committed_before) >= trimmed)
        return min(self._keep_seconds, now - next(covering, now))

    @property
    def is_limited(self) -> bool:
        """True if entries were removed early, for lack of memory, within the last STREAM_KEEP_SECONDS."""
        return self._monotonic() - self._limited_at < self._keep_seconds

    def trim(self, state: StreamState) -> None:
        """Remove entries that were committed long enough ago or for which there is no room. Call this every second."""
        bound = state.committed_before
        if bound is None:
            self._checkpoints.clear()
            return
        if self._checkpoints and entry_ids.parse(self._checkpoints[-1].committed_before) > entry_ids.parse(bound):
            self._checkpoints.clear()  # entries are applied again
        now = self._monotonic()
        self._checkpoints.append(_Checkpoint(now, bound))
        while len(self._checkpoints) > 1 and self._checkpoints[1].at <= now - self._keep_seconds:
            self._checkpoints.popleft()
        oldest = self._checkpoints[0]
        expired = oldest.committed_before if oldest.at <= now - self._keep_seconds else b"0-0"
        before = max(expired, excess := self._excess_before(state, bound), key=entry_ids.parse)
        if state.kept and entry_ids.parse(before) > entry_ids.parse(self._trimmed_before):
            self._remove_before(before)
            self._trimmed_before = before
            if entry_ids.parse(excess) > entry_ids.parse(expired):
                self._limited_at = now

    def _remove_before(self, entry_id: bytes) -> None:
        minimum = entry_id.decode()
        while self._redis.xtrim(STREAM, minid=minimum, approximate=True, limit=_TRIM_LIMIT) >= _TRIM_LIMIT / 2:
            pass
        self._redis.xtrim(STREAM, minid=minimum, approximate=False)

    def _excess_before(self, state: StreamState, bound: bytes) -> bytes:
        """Return the id below which entries must be removed so that the rest fits.

        The first estimate removes too few if the sizes of entries differ much.
        """
        self._measure(state)
        if self.limit_bytes is None or self.size_bytes <= self.limit_bytes:
            return b"0-0"
        first = cast("list[tuple[bytes, object]]", self._redis.xrange(STREAM, count=1))
        if not first:
            return b"0-0"
        start, end = entry_ids.parse(first[0][0])[0], entry_ids.parse(bound)[0]
        excess = 1 - self.limit_bytes / self.size_bytes
        return min(b"%d-0" % (start + 1 + int((end - start + 1) * excess)), bound, key=entry_ids.parse)

    def _measure(self, state: StreamState) -> None:
        try:
            memory = self._redis.info("memory")  # pyright: ignore[reportUnknownMemberType] - **kwargs
            size = self._redis.memory_usage(STREAM, samples=_SAMPLES)  # pyright: ignore[reportUnknownMemberType] - **kwargs
        except ResponseError:
            self.size_bytes, self.limit_bytes = 0, None  # a managed Redis may hide its memory
            return
        used, limit = int(memory.get("used_memory", 0)), int(memory.get("maxmemory", 0))
        self.size_bytes = (size or 0) * state.kept // max(1, state.length)
        default = int(limit * DEFAULT_SHARE) if limit else DEFAULT_BYTES
        self.limit_bytes = default if self._max_bytes is None else self._max_bytes
        if limit:
            over = used - int(limit * PRESSURE_SHARE)
            self.limit_bytes = max(0, min(self.limit_bytes, self.size_bytes - over))
