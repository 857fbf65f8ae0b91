"""The hint: a job that tells a worker that the stream is worth a look. Losing one costs seconds, never an event."""

import asyncio
from typing import Any, cast

import redis
from redis.asyncio import Redis
from redis.exceptions import RedisError
from rq import Queue
from rq.serializers import JSONSerializer

from ingest.counters import Counts
from ingest.queue import contract
from ingest.stream_appender import JOBS, Appended

JOB_TIMEOUT = 30
FAILURE_TTL = 300
"""Seconds for which a failed drain can be looked at; its events are in the stream, not in the job."""
LEAST_INTERVAL = 0.05
LONGEST_INTERVAL = 1.0


class Hints:
    """Gives hints after appends, and fewer of them the less they help."""

    def __init__(self, client: Redis, counts: Counts) -> None:
        self._client = client
        self._counts = counts
        # Only shapes the job; its commands go into an async pipeline, so this client never connects.
        self._queue = Queue(contract.QUEUE, connection=redis.Redis(port=1), serializer=JSONSerializer)
        self._queue.redis_server_version = (7, 0, 0)  # or it would ask
        self._interval = LEAST_INTERVAL
        self._last = 0.0
        self._entries_then = 0
        self._again = False
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def consider(self, appended: Appended) -> None:
        """Give a hint if no job is queued: at once if workers keep up, and else the later the less hints helped."""
        if appended.jobs:
            return
        if self._task is not None:
            self._again = True
            return
        loop = asyncio.get_running_loop()
        wait = 0.0 if appended.entries <= 1 else self._last + self._interval - loop.time()
        if wait <= 0:
            self._cancel_timer()
            self._start(appended)
        elif self._timer is None:
            self._timer = loop.call_later(wait, self._start, None)

    async def close(self) -> None:
        """Give up what is under way."""
        self._cancel_timer()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _start(self, known: Appended | None) -> None:
        self._timer = None
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._give(known))
            self._task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if not task.cancelled():
            task.result()
            if self._again:
                # Something was appended meanwhile; a worker may have come and gone between the two.
                self._again = False
                self._timer = asyncio.get_running_loop().call_later(self._interval, self._start, None)

    async def _give(self, known: Appended | None) -> None:
        try:
            if known is None:
                known = await self._look()
                if known.jobs or not known.entries:
                    return
            pipeline = self._client.pipeline(transaction=True)
            data = Queue.prepare_data(  # pyright: ignore[reportUnknownMemberType] - rq is partly typed
                contract.JOB, timeout=JOB_TIMEOUT, result_ttl=0, failure_ttl=FAILURE_TTL, description=contract.JOB
            )
            # rq only buffers commands here, which async pipelines do alike; tests/ingest/test_drain_hint.py holds it to that.
            self._queue.enqueue_many([data], pipeline=cast("Any", pipeline))
            await pipeline.execute()
        except (RedisError, OSError):
            return  # a living worker looks by itself
        helped = known.entries <= 1 or known.entries < self._entries_then
        self._interval = LEAST_INTERVAL if helped else min(self._interval * 2, LONGEST_INTERVAL)
        self._entries_then = known.entries
        self._last = asyncio.get_running_loop().time()
        self._counts.hints += 1

    async def _look(self) -> Appended:
        pipeline = self._client.pipeline(transaction=False)
        pipeline.llen(JOBS)
        pipeline.xlen(contract.STREAM)
        jobs, entries = cast("list[int]", await pipeline.execute())
        return Appended(jobs, entries)
