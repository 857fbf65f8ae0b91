"""Enqueues the RQ job that makes a worker drain the stream. A lost job costs seconds, never an event."""

import asyncio
from collections.abc import Mapping
from typing import Any, cast

import redis
from redis.asyncio import Redis
from redis.exceptions import RedisError
from rq import Queue
from rq.serializers import JSONSerializer

from ingest.counters import Counters
from ingest.queue import consumer_group, contract

MIN_INTERVAL_SECONDS = 0.05
MAX_INTERVAL_SECONDS = 1.0


class DrainJobs:
    """The drain jobs of this process, which become rarer while the uncommitted entries do not decrease."""

    def __init__(self, client: Redis, counters: Counters) -> None:
        self._client = client
        self._counters = counters
        # The queue only builds the job. Its commands go into an async pipeline, so this client never connects.
        self._queue = Queue(contract.RQ_QUEUE, connection=redis.Redis(port=1), serializer=JSONSerializer)
        self._queue.redis_server_version = (7, 0, 0)  # given, because RQ would connect to ask for it
        self._interval = MIN_INTERVAL_SECONDS
        self._last_enqueued_at = 0.0
        self._previous_uncommitted = 0
        self._recheck_needed = False
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def enqueue_if_needed(self, waiting_jobs: int) -> None:
        """Enqueue a drain job unless one waits, after an interval that grows while jobs do not help."""
        if waiting_jobs:
            return
        if self._task is not None:
            self._recheck_needed = True
            return
        loop = asyncio.get_running_loop()
        wait = self._last_enqueued_at + self._interval - loop.time()
        if wait <= 0:
            self._cancel_timer()
            self._start()
        elif self._timer is None:
            self._timer = loop.call_later(wait, self._start)

    async def close(self) -> None:
        """Cancel a pending job."""
        self._cancel_timer()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _start(self) -> None:
        self._timer = None
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._enqueue())
            self._task.add_done_callback(self._on_done)

    def _on_done(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if not task.cancelled():
            task.result()
            if self._recheck_needed:
                # More was appended in the meantime, and a worker may have drained and ended between the two appends.
                self._recheck_needed = False
                self._timer = asyncio.get_running_loop().call_later(self._interval, self._start)

    async def _enqueue(self) -> None:
        try:
            uncommitted = await self._count_uncommitted()
            if uncommitted == 0:
                return
            pipeline = self._client.pipeline(transaction=True)
            data = Queue.prepare_data(  # pyright: ignore[reportUnknownMemberType] - rq is partly typed
                contract.RQ_JOB,
                timeout=contract.RQ_JOB_TIMEOUT_SECONDS,
                result_ttl=0,
                failure_ttl=contract.RQ_FAILURE_TTL_SECONDS,
                description=contract.RQ_JOB,
            )
            # RQ only buffers commands here, as an async pipeline does (tests/ingest/stream/test_drain_jobs.py).
            self._queue.enqueue_many([data], pipeline=cast("Any", pipeline))
            await pipeline.execute()
        except (RedisError, OSError):
            return  # every worker polls the stream on its own
        helped = uncommitted <= 1 or uncommitted < self._previous_uncommitted
        self._interval = MIN_INTERVAL_SECONDS if helped else min(self._interval * 2, MAX_INTERVAL_SECONDS)
        self._previous_uncommitted = uncommitted
        self._last_enqueued_at = asyncio.get_running_loop().time()
        self._counters.drain_jobs += 1

    async def _count_uncommitted(self) -> int:
        """Return the number of entries that wait for a worker, or 0 if a job waits for one.

        It is an upper bound if Redis cannot report it.
        """
        reading = self._client.pipeline(transaction=False)
        reading.llen(contract.RQ_QUEUE_KEY)
        reading.xlen(contract.STREAM)
        reading.xinfo_groups(contract.STREAM)
        replies = cast("list[object]", await reading.execute(raise_on_error=False))
        jobs, length, groups = replies
        if jobs:
            return 0
        entries = length if isinstance(length, int) else 1
        if not isinstance(groups, list):
            return entries  # no stream yet, or Redis does not allow the query
        position = consumer_group.position(cast("list[Mapping[str, object]]", groups))
        uncommitted = None if position is None else position.uncommitted
        return entries if uncommitted is None else uncommitted
