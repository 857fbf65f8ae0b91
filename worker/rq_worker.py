"""An RQ worker that can be killed: one queue, one job, signals that only set a flag.

What RQ's own worker does, and why ours does not: its signal handler raises wherever Python happens to be, so a
graceful stop can strand a job; it runs any function, callback or webhook that Redis names; its channel takes commands
from whoever can write to Redis; its maintenance runs callbacks of abandoned jobs. Our jobs carry nothing, so an
abandoned one is simply dropped.
"""

import logging
import os
import threading
import time
import traceback
from datetime import UTC, datetime
from types import FrameType
from typing import Any, cast

from redis import Redis
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
"""Seconds after a stop signal until the process ends whatever hangs; PostgreSQL rolls back what was not committed."""
ORPHANED_JOB_SECONDS = 120.0
"""Seconds after which a job that was begun and never ended is forgotten; none takes longer than 30."""


class DrainWorker(SimpleWorker):
    """Runs `worker.jobs.drain`, and nothing else."""

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
        """How many it took so far."""
        jobs.DRAIN.set(self._drain)

    # RQ waits up to a minute before it looks for a Redis again that is back.
    max_connection_wait_time = 2.0

    @property
    def connection_timeout(self) -> int:
        """RQ raises the client's time-out to this, 55 s of its own accord: we never let a command block that long."""
        return int(redis_client.TIMEOUT_SECONDS)

    def subscribe(self) -> None:
        """Take no commands from Redis."""

    def request_stop(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002 - RQ's signature
        """Stop after the transaction in hand. Never raises: the process may be anywhere when the signal comes."""
        if not self._stop_requested:
            self._stop_requested = True
            self._drainer.stopping = True
            last_resort = threading.Timer(SHUTDOWN_SECONDS, os._exit, [0])
            last_resort.daemon = True
            last_resort.start()

    def run_maintenance_tasks(self) -> None:
        """Drop hints that a dead worker took; what they pointed to is in the stream."""
        self.last_cleaned_at = datetime.now(UTC)
        taken = contract.RQ_INTERMEDIATE_KEY
        for job_id in cast("list[bytes]", self.connection.lrange(taken, 0, -1)):
            # A taken hint is run within milliseconds and deleted, so one that is still there a pass later is orphaned.
            if job_id in self._seen_intermediate:
                self.connection.lrem(taken, 1, cast("str", job_id))
                self.connection.delete(b"rq:job:" + job_id)
        self._seen_intermediate = set(cast("list[bytes]", self.connection.lrange(taken, 0, -1)))
        self.connection.zremrangebyscore(contract.RQ_STARTED_KEY, 0, time.time() - ORPHANED_JOB_SECONDS)
        worker_registration.clean_worker_registry(self.queues[0])
        self._drainer.stream.remove_dead_consumers()

    def dequeue_job_and_maintain_ttl(
        self, timeout: int | None, max_idle_time: int | None = None
    ) -> tuple[Job, Queue] | None:
        """Wait for a hint, and look after the stream every second of the wait."""
        while not self._stop_requested:
            self._monitor.tick()
            self._housekeeping.run_due(lambda: not self._stop_requested and self._monitor.is_queue_empty)
            result = super().dequeue_job_and_maintain_ttl(1, 1)
            if result is not None or timeout is None or max_idle_time is not None:
                return result
            self._monitor.ensure_drain_queued()
        raise StopRequested

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Run the drain; a job that names anything else is dropped unrun."""
        self.jobs_taken += 1
        if is_drain_job(job):
            super().execute_job(job, queue)
            return
        log.error(
            "a job in Redis names something else than the drain: dropped, and worth a look at who can write there"
        )
        self._metrics.record_refused_job()
        self.connection.lrem(contract.RQ_INTERMEDIATE_KEY, 0, job.id)
        self.connection.delete(job.key)

    def handle_exception(self, job: Job, *exc_info: Any) -> None:  # noqa: ANN401, ARG002 - RQ's signature
        """Say what ended the drain and where, but not in its own words: PostgreSQL's quote what was being written."""
        kind, _, trace = exc_info
        where = " > ".join(f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(trace)[-6:])
        log.error("the drain was ended by %s at %s", getattr(kind, "__name__", kind), where)

    def _drain(self) -> None:
        try:
            more = self._drainer.run(self._monitor.tick)
        except TransientError as error:
            log.warning("%s: nothing drained, and nothing lost", error)
            more = True
        if more:
            self._monitor.enqueue_drain()


def is_drain_job(job: Job) -> bool:
    """Whether the job is the one on the allow-list: that function, nothing passed to it and nothing run after it."""
    try:
        called = cast("tuple[object, ...]", (job.func_name, len(job.args), len(job.kwargs)))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType] - RQ's arguments are any
    except (DeserializationError, TypeError, ValueError):
        return False
    follow_ups = (job._success_callback_name, job._failure_callback_name, job._stopped_callback_name)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - the properties import what they name
    return called == (contract.RQ_JOB, 0, 0) and not any(follow_ups) and not job.webhooks
