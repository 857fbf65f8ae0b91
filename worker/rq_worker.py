"""Runs an RQ worker that can be killed at any moment: one queue, one job, signal handlers that only set a flag.

It replaces four behaviours of RQ's worker: the signal handler raises at any line, so a graceful stop can strand a job;
any function, callback or webhook named in Redis is run; the command channel obeys everyone who can write to Redis; and
the maintenance runs callbacks of abandoned jobs. A drain job carries no data, so an abandoned one is dropped.
"""

import logging
import os
import signal
import threading
import time
import traceback
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import FrameType
from typing import Any, cast

from redis import Redis
from redis.exceptions import ResponseError
from rq import Queue, SimpleWorker, worker_registration
from rq.exceptions import DeserializationError, StopRequested
from rq.job import Job
from rq.serializers import JSONSerializer

from ingest.queue import contract
from store.postgres.errors import TransientError
from worker import jobs, redis_client
from worker.drain.drainer import Drainer
from worker.housekeeping.monitor import StreamMonitor
from worker.housekeeping.tasks import Housekeeping
from worker.metrics.worker import WorkerMetrics

log = logging.getLogger("worker")

SHUTDOWN_SECONDS = 8.0
"""The time in seconds from a stop signal to a forced exit. PostgreSQL then rolls back an uncommitted transaction."""
REFUSED_PAUSE_SECONDS = 0.5
"""The time in seconds between two checks while the stream's events belong to another database."""
ORPHANED_JOB_SECONDS = 120.0
"""The time in seconds after which a job that started but never ended is removed. No job takes longer than 30."""


class DrainWorker(SimpleWorker):
    """An RQ worker that runs `worker.jobs.drain` and no other job."""

    def __init__(
        self, redis: Redis, drainer: Drainer, monitor: StreamMonitor, housekeeping: Housekeeping, metrics: WorkerMetrics
    ) -> None:
        super().__init__(  # pyright: ignore[reportUnknownMemberType] - RQ's parameters are partly untyped
            [Queue(contract.RQ_QUEUE, connection=redis, serializer=JSONSerializer)],
            connection=redis,
            serializer=JSONSerializer,
            worker_ttl=60,
            maintenance_interval=60,
            log_job_description=False,
        )
        self._drainer = drainer
        self._monitor = monitor
        self._housekeeping = housekeeping
        self._metrics = metrics
        self._seen_intermediate: set[bytes] = set()
        self.jobs_taken = 0
        """The number of jobs taken so far."""
        self.rq_failure: str | None = None
        """The reason why RQ cannot work, such as a key of another type. `work` then ends, and the worker drains without
        RQ.
        """
        self._has_begun_drain = False
        jobs.DRAIN.set(self._drain)

    # RQ would wait up to a minute before reconnecting to Redis.
    max_connection_wait_time = 2.0

    @property
    def connection_timeout(self) -> int:
        """The client's timeout. RQ would raise it to 55 s by default, but no command of ours blocks that long."""
        return int(redis_client.TIMEOUT_SECONDS)

    def subscribe(self) -> None:
        """Do nothing, so that no commands are accepted from Redis."""

    def request_stop(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002 - RQ's signature
        """Stop after the current transaction. This never raises, because the signal may interrupt any line."""
        if not self._stop_requested:
            self._stop_requested = True
            self._drainer.stopping = True
            forced_exit = threading.Timer(SHUTDOWN_SECONDS, os._exit, [0])
            forced_exit.daemon = True
            forced_exit.start()

    def drain_without_rq(self) -> None:
        """Drain for a few seconds, after the duties between drains. Raises TransientError and RedisError."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self.request_stop)
        self._monitor.tick()
        if self._monitor.is_refused:
            time.sleep(REFUSED_PAUSE_SECONDS)
            return
        self._housekeeping.run_due(lambda: not self._stop_requested and not self._drainer.stream.has_work())
        self._drainer.run(self._monitor.tick)

    def run_maintenance_tasks(self) -> None:
        """Drop jobs that a dead worker took. Their events are in the stream."""
        self.last_cleaned_at = datetime.now(UTC)
        with self._end_on_refused_command():
            self._drop_abandoned_jobs()
        self._drainer.stream.remove_dead_consumers()

    def _drop_abandoned_jobs(self) -> None:
        taken = set(cast("list[bytes]", self.connection.lrange(contract.RQ_INTERMEDIATE_KEY, 0, -1)))
        # A job that was taken runs within milliseconds and is deleted, so one that is still there at the next check is
        # orphaned.
        for job_id in taken & self._seen_intermediate:
            self.connection.lrem(contract.RQ_INTERMEDIATE_KEY, 1, cast("str", job_id))
            self.connection.delete(b"rq:job:" + job_id)
        self._seen_intermediate = taken
        self.connection.zremrangebyscore(contract.RQ_STARTED_KEY, 0, time.time() - ORPHANED_JOB_SECONDS)
        worker_registration.clean_worker_registry(self.queues[0])

    def dequeue_job_and_maintain_ttl(
        self, timeout: int | None, max_idle_time: int | None = None
    ) -> tuple[Job, Queue] | None:
        """Wait for a job, and run the monitor and the housekeeping every second in the meantime."""
        while not self._stop_requested:
            self._monitor.tick()
            if self._monitor.is_refused:
                time.sleep(REFUSED_PAUSE_SECONDS)
                continue
            with self._end_on_refused_command():
                self._housekeeping.run_due(lambda: not self._stop_requested and self._monitor.is_queue_empty)
                result = super().dequeue_job_and_maintain_ttl(1, 1)
                if result is not None or timeout is None or max_idle_time is not None:
                    return result
                self._monitor.ensure_drain_queued()
            self._monitor.rq_failure = None
        raise StopRequested

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Run the drain. A job that names anything else is dropped."""
        self.jobs_taken += 1
        if is_drain_job(job):
            self._has_begun_drain = False
            with self._end_on_refused_command():
                super().execute_job(job, queue)
            if not self._has_begun_drain:
                self.rq_failure = "RQ took the drain job and did not run it."
                raise StopRequested
            return
        log.error("dropped a job that is not the drain: check who can write to Redis")
        self._metrics.refused_jobs.inc()
        self.connection.lrem(contract.RQ_INTERMEDIATE_KEY, 0, job.id)
        self.connection.delete(job.key)

    def handle_exception(self, job: Job, *exc_info: Any) -> None:  # noqa: ANN401, ARG002 - RQ's signature
        """Log the type and place of the error without its message, in which PostgreSQL quotes the row."""
        kind, _, trace = exc_info
        location = " > ".join(f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(trace)[-6:])
        name = getattr(kind, "__name__", kind)
        log.error("drain failed: %s at %s", name, location)
        self._drainer.failure = str(name)

    @contextmanager
    def _end_on_refused_command(self) -> Generator[None]:
        """End `work` if Redis refuses a command of RQ, which would otherwise end it with a traceback."""
        try:
            yield
        except ResponseError as error:
            self.rq_failure = f"Redis refuses a command of RQ: {error}."
            raise StopRequested from error

    def _drain(self) -> None:
        self._has_begun_drain = True
        try:
            has_more = self._drainer.run(self._monitor.tick)
        except TransientError as error:
            log.warning("%s: the entries stay in the stream", error)
            has_more = True
        if has_more:
            self._monitor.enqueue_drain()


def is_drain_job(job: Job) -> bool:
    """Return whether the job is the drain: that function, without arguments, callbacks or webhooks."""
    try:
        called = cast("tuple[object, ...]", (job.func_name, len(job.args), len(job.kwargs)))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType] - RQ's arguments are any
    except (DeserializationError, TypeError, ValueError):
        return False
    follow_ups = (job._success_callback_name, job._failure_callback_name, job._stopped_callback_name)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - the properties import what they name
    return called == (contract.RQ_JOB, 0, 0) and not any(follow_ups) and not job.webhooks
