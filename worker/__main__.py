"""`python -m worker`: drains the queue until it is told to stop; `replay` and `doctor`: modules of these names."""

import logging
import os
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from redis.exceptions import RedisError

from ingest.queue.failpoints import Failpoints
from store.erasure.suppressions import SuppressionCache
from store.postgres import connections, migrator
from store.postgres.errors import TransientError
from telemetry import logs, traces
from telemetry.errors import SettingsError
from worker import health, redis_client
from worker.commands import doctor, replay
from worker.drain.drainer import Drainer
from worker.housekeeping.erasures import ErasureRunner
from worker.housekeeping.monitor import StreamMonitor
from worker.housekeeping.redrives import RedriveRunner
from worker.housekeeping.slow_metrics import SlowMetrics
from worker.housekeeping.tasks import Housekeeping
from worker.metrics.worker import WorkerMetrics
from worker.rq_worker import DrainWorker
from worker.settings import Settings

log = logging.getLogger("worker")

DATABASE_DEADLINE_SECONDS = 5.0
"""Seconds that PostgreSQL has to say which migrations it has."""
RETRY_SECONDS = 1.0
"""Seconds before another try where Redis or the database was not there."""


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Do what the first argument names; without any, drain."""
    if not arguments:
        return run_worker(environ)
    if arguments[0] == "replay":
        return replay.main(arguments[1:], environ)
    if arguments == ["doctor"]:
        return doctor.main(environ)
    print("usage: python -m worker [replay … | doctor]", file=sys.stderr)
    return 2


def run_worker(environ: Mapping[str, str]) -> int:
    """The exit code: 0 after a stop or when the process is due to be replaced, 2 where the environment is wrong."""
    try:
        logs.configure("worker", environ)
        logging.getLogger("rq").setLevel(logging.WARNING)
        settings = Settings.from_environ(environ)
        failpoints = Failpoints(settings.failpoints or "")
        redis = redis_client.connect(settings.redis_url)
        spans = traces.configure("worker", environ)
    except SettingsError as error:
        print(f"worker: {error}", file=sys.stderr)
        return 2
    metrics = WorkerMetrics()
    known = SuppressionCache(settings.suppression_key_store.find_key)
    drainer = Drainer(
        redis,
        settings.database_url,
        own_phone=settings.own_phone,
        suppressions=known,
        metrics=metrics,
        failpoints=failpoints,
        tracer=spans,
    )
    watch = StreamMonitor(redis, drainer, metrics)
    if settings.port is not None:
        health.serve(settings.host, settings.port, watch, metrics)
        SlowMetrics(settings.database_url, redis_client.connect(settings.redis_url), metrics).start()
    redrives = RedriveRunner(settings.direct_url, settings.own_phone, known)
    erasures = ErasureRunner(settings.suppression_key_store)
    housekeeping = Housekeeping(drainer, redrives, erasures, metrics, feed_days=settings.feed_days)
    try:
        _run_until_due(settings, drainer, watch, lambda: DrainWorker(redis, drainer, watch, housekeeping, metrics))
    finally:
        housekeeping.close()
        drainer.close()
    return 0


def _run_until_due(
    settings: Settings, drainer: Drainer, monitor: StreamMonitor, new_worker: Callable[[], DrainWorker]
) -> None:
    # RQ ends its loop at many an error; what was in hand is still in the stream, so a new loop is all it takes.
    done = 0
    due = round(settings.max_jobs * random.uniform(0.9, 1.1))  # noqa: S311 - so that not all workers go at once
    while not drainer.stopping and (not due or done < due):
        try:
            _await_schema(settings, drainer, monitor)
            drainer.stream.ensure_group()
            drainer.stream.requeue_unreadable()
            drainer.remove_acknowledged()
            worker = new_worker()
            worker.work(logging_level="WARNING", max_jobs=(due - done) or None)
            done += worker.jobs_taken
        except (RedisError, TransientError) as error:
            monitor.not_ready_reason = _describe(error)
            log.warning("%s: trying again", monitor.not_ready_reason)
            time.sleep(RETRY_SECONDS)


def _await_schema(settings: Settings, drainer: Drainer, monitor: StreamMonitor) -> None:
    """Wait until the database has every migration: what is taken from the queue must have somewhere to go."""
    while not drainer.stopping:
        with (
            connections.open(settings.database_url, "worker") as database,
            connections.deadline(database, DATABASE_DEADLINE_SECONDS),
        ):
            missing = migrator.missing(database)
        if not missing:
            return
        monitor.not_ready_reason = f"The database lacks {', '.join(missing)}: run `python -m store migrate`."
        log.warning(monitor.not_ready_reason)
        time.sleep(RETRY_SECONDS)


def _describe(error: Exception) -> str:
    return f"Redis: {type(error).__name__}" if isinstance(error, RedisError) else str(error)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
