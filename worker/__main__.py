"""`python -m worker`: drains the stream until SIGTERM, or runs `replay`, `backfill`, `doctor` or `adopt`."""

import logging
import os
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from redis.exceptions import RedisError, ResponseError

from environment import listener, output, variables
from ingest.queue.failpoints import Failpoints
from store.erasure.suppressions import SuppressionCache
from store.postgres import connections, migrator
from store.postgres.errors import TransientError
from store.replay.redrive import RedriveRunner
from telemetry import logs, traces
from telemetry.errors import SettingsError
from worker import health, parsers, priority, redis_client
from worker.commands import adopt, backfill, doctor, replay
from worker.drain import unreadable
from worker.drain.drainer import Drainer
from worker.drain.kept_entries import KeptEntries
from worker.housekeeping.accounts import AccountRunner
from worker.housekeeping.erasures import ErasureRunner
from worker.housekeeping.indexer import Indexer
from worker.housekeeping.monitor import StreamMonitor
from worker.housekeeping.slow_metrics import SlowMetrics
from worker.housekeeping.tasks import Housekeeping
from worker.metrics.worker import WorkerMetrics
from worker.rq_worker import DrainWorker
from worker.settings import Settings

log = logging.getLogger("worker")

DATABASE_DEADLINE_SECONDS = 5.0
"""The time limit in seconds for PostgreSQL to list its migrations."""
RETRY_SECONDS = 1.0
"""The time in seconds before a retry while Redis or PostgreSQL is unavailable."""
USAGE = """\
usage: python -m worker                 drain the stream until SIGTERM
       python -m worker replay …        fold the raw events again, and repair rows that differ
       python -m worker backfill NAME   store the past messages that a sender's gateway still has
       python -m worker doctor          check Redis and the queue
       python -m worker adopt --yes     make DATABASE_URL the database of the stream"""


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run the command given by the arguments, or the worker if there are none. Return the exit code."""
    if not arguments:
        return run_worker(variables.of_process(environ))
    if arguments[0] in {"adopt", "backfill", "replay"} or arguments == ["doctor"]:
        return _run_command(arguments, environ)
    if arguments[0] in {"-h", "--help"}:
        print(USAGE)
        return 0
    print(f"worker: These arguments are unknown: {' '.join(arguments)}\n{USAGE}", file=sys.stderr)
    return 2


def _run_command(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run the command with the variables of `.env` that `environ` lacks.

    An error with a sentence for people gives the exit code 2.
    """
    try:
        with_file = variables.of_command(environ)
        match arguments[0]:
            case "doctor":
                code = doctor.main(with_file)
            case "backfill":
                code = backfill.main(arguments[1:], with_file)
            case "adopt":
                code = adopt.main(arguments[1:], with_file)
            case _:
                code = replay.main(arguments[1:], with_file)
        sys.stdout.flush()
    except SettingsError as error:
        print(f"worker: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        output.discard()
        print(f"worker: {output.describe(error)}", file=sys.stderr)
        return 2
    return code


def run_worker(environ: Mapping[str, str]) -> int:
    """Run until stopped. Return the exit code: 0 after a stop or WORKER_MAX_JOBS, 2 if the environment is wrong."""
    try:
        logs.configure("worker", environ)
        logging.getLogger("rq").setLevel(logging.WARNING)
        settings = Settings.from_environ(environ)
        failpoints = Failpoints(settings.failpoints or "")
        redis = redis_client.connect(settings.redis_url)
        tracer = traces.configure("worker", environ)
        socket = None if settings.port is None else listener.listen(settings.host, settings.port, "WORKER_PORT")
    except SettingsError as error:
        print(f"worker: {error}", file=sys.stderr)
        return 2
    priority.set_nice(settings.nice)
    metrics = WorkerMetrics()
    suppressions = SuppressionCache(settings.suppression_key_store.find_key)
    drainer = Drainer(
        redis,
        settings.database_url,
        own_phone=settings.own_phone,
        suppressions=suppressions,
        metrics=metrics,
        failpoints=failpoints,
        tracer=tracer,
    )
    kept = KeptEntries(redis, settings.keep_seconds, settings.keep_bytes)
    monitor = StreamMonitor(redis, drainer, kept, metrics)
    if socket is not None:
        health.serve(socket, monitor, metrics)
        SlowMetrics(settings.database_url, redis_client.connect(settings.redis_url), metrics).start()
    redrives = RedriveRunner(settings.direct_url, lambda: parsers.current(suppressions), settings.own_phone)
    erasures = ErasureRunner(settings.suppression_key_store)
    accounts = AccountRunner(settings.accounts, settings.own_phone, suppressions)
    housekeeping = Housekeeping(drainer, redrives, [erasures, accounts], metrics, settings.feed_days)
    indexer = Indexer(settings.database_url)
    indexer.start()
    try:
        _work(settings, drainer, monitor, lambda: DrainWorker(redis, drainer, monitor, housekeeping, metrics))
    finally:
        indexer.stop()
        housekeeping.close()
        drainer.close()
    return 0


def _work(settings: Settings, drainer: Drainer, monitor: StreamMonitor, new_worker: Callable[[], DrainWorker]) -> None:
    # Errors of many kinds end RQ's loop. Unfinished batches are still in the stream, so a new loop resumes them.
    done = 0
    due = round(settings.max_jobs * random.uniform(0.9, 1.1))  # noqa: S311 - so that workers do not all restart at once
    while not drainer.stopping and (not due or done < due):
        try:
            _await_schema(settings, drainer, monitor)
            drainer.stream.ensure_group()
            unreadable.requeue(drainer.stream.redis)
            worker = new_worker()
            _run_loop(worker, monitor, max_jobs=(due - done) or None)
            done += worker.jobs_taken
        except (RedisError, TransientError) as error:
            monitor.not_ready_reason = f"Redis: {type(error).__name__}" if isinstance(error, RedisError) else str(error)
            log.warning("retrying: %s", monitor.not_ready_reason)
            time.sleep(RETRY_SECONDS)


def _run_loop(worker: DrainWorker, monitor: StreamMonitor, *, max_jobs: int | None) -> None:
    """Run RQ's loop. If RQ cannot work with its keys, drain without it for a few seconds."""
    try:
        worker.work(logging_level="WARNING", max_jobs=max_jobs)
    except ResponseError as error:  # at the registration of the worker, or its end
        worker.rq_failure = f"Redis refuses a command of RQ: {error}."
    if worker.rq_failure is None:
        return
    if monitor.rq_failure != worker.rq_failure:
        log.warning("%s Draining without RQ: see `python -m worker doctor`", worker.rq_failure)
    monitor.rq_failure = worker.rq_failure
    worker.drain_without_rq()


def _await_schema(settings: Settings, drainer: Drainer, monitor: StreamMonitor) -> None:
    """Wait until the database has every migration. Nothing is taken from the stream before that."""
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
