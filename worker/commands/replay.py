"""`python -m worker replay`: folds the history again from the raw events, as parsed by this version."""

# ruff: noqa: T201 - a command prints its answer

import argparse
import contextlib
import json
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from store.erasure import suppressions
from store.erasure.key_store import SuppressionKeyError, SuppressionKeyStore
from store.erasure.suppressions import SuppressionCache
from store.ledger.set_aside_events import SetAsideKind
from store.postgres import connections, errors, migrator
from store.postgres.connections import Connection, DatabaseUrlError
from store.postgres.errors import StoreError, TransientError
from store.replay import progress, redrive_requests, replay
from store.replay.redrive import Redrive
from store.replay.redrive_requests import RedriveSelection
from store.replay.replay import Replay, ReplayPlan
from store.replay.sources import EventParser
from worker import parsers, settings
from worker.drain import retry

DONE, DIFFERS, FAILED, BUSY, INTERRUPTED = 0, 1, 2, 3, 4

RETRY_SECONDS = 60.0
"""The time in seconds for which PostgreSQL may be unavailable before a replay fails."""
PROGRESS_SECONDS = 5.0
"""The time between two lines of progress, in seconds."""


class ReplayAbortedError(Exception):
    """The replay cannot continue and must be run again."""


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    dry_run: bool = False
    kind: SetAsideKind | None = None
    """Retry only parked events, or only noise."""
    reason: str | None = None
    batch_size: int = 512
    restart: bool = False
    as_json: bool = False


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run the command.

    Exit codes: 0 done, 1 differences in a dry run, 2 failed, 3 another replay is running, 4 interrupted.
    """
    options = _parse_options(arguments)
    stop = StopSignal()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    try:
        return run(
            connections.direct_url(environ),
            options,
            parsers.current(SuppressionCache(SuppressionKeyStore.from_environ(environ).find_key)),
            stop=stop,
            own_phone=settings.own_phone(environ),
        )
    except progress.ReplayRunningError as error:
        print(f"replay: {error}", file=sys.stderr)
        return BUSY
    except (StoreError, DatabaseUrlError, ReplayAbortedError) as error:
        print(f"replay: {error}", file=sys.stderr)
        return FAILED


def _parse_options(arguments: Sequence[str]) -> ReplayOptions:
    options = argparse.ArgumentParser(prog="python -m worker replay", description=__doc__)
    options.add_argument("--dry-run", action="store_true", help="report differences, change nothing")
    kinds = options.add_mutually_exclusive_group()
    kinds.add_argument("--parked", dest="kind", action="store_const", const="parked", help="retry parked events only")
    kinds.add_argument("--noise", dest="kind", action="store_const", const="noise", help="retry noise only")
    options.add_argument("--reason", help="with --parked or --noise: retry only events with this reason")
    options.add_argument("--batch", type=_batch_size, default=512, metavar="N", help="events in one transaction (512)")
    options.add_argument("--restart", action="store_true", help="start over instead of resuming an interrupted replay")
    options.add_argument("--json", action="store_true", help="print the report as JSON")
    chosen = options.parse_args(arguments)
    if chosen.reason is not None and chosen.kind is None:
        options.error("--reason goes with --parked or --noise")
    return ReplayOptions(chosen.dry_run, chosen.kind, chosen.reason, chosen.batch, chosen.restart, chosen.json)


def _batch_size(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 10_000:
        raise argparse.ArgumentTypeError("must be between 1 and 10000")
    return number


@dataclass(slots=True)
class StopSignal:
    """A signal handler that records the request to stop and never raises."""

    requested: bool = False

    def __call__(self, *_: object) -> None:
        self.requested = True


def run(
    database_url: str, options: ReplayOptions, parser: EventParser, *, stop: StopSignal, own_phone: str | None = None
) -> int:
    """Replay until done or stopped. Return the exit code."""
    with connections.open(database_url, "replay") as connection:
        if missing := migrator.missing(connection):
            raise ReplayAbortedError(f"The database lacks {', '.join(missing)}: run `python -m store migrate`.")
        try:
            suppressions.check_key(connection, parser.suppressions)
        except SuppressionKeyError as error:
            raise ReplayAbortedError(str(error)) from error
    plan = ReplayPlan(parser, own_phone=own_phone, batch_size=options.batch_size, dry_run=options.dry_run)
    connection = replay.open_connection(database_url)
    job = _create_job(connection, plan, options)
    began = time.monotonic()
    try:
        done = _run_steps(job, database_url, plan, stop)
    finally:
        job.connection.close()
    _print_report(job, options, time.monotonic() - began, done=done)
    if not done:
        return INTERRUPTED
    return DIFFERS if options.dry_run and job.report.difference_counts else DONE


def _create_job(connection: Connection, plan: ReplayPlan, options: ReplayOptions) -> Replay | Redrive:
    with contextlib.ExitStack() as on_failure, errors.translated():
        on_failure.callback(connection.close)
        if options.kind is not None:
            selection = RedriveSelection(reason=options.reason, kind=options.kind)
            job = Redrive(connection, plan, redrive_requests.select_event_ids(connection, selection))
        else:
            job = Replay(connection, plan, restart=options.restart)
        on_failure.pop_all()
    return job


def _run_steps(job: Replay | Redrive, database_url: str, plan: ReplayPlan, stop: StopSignal) -> bool:
    """Run steps, retrying after transient errors. Return whether the replay is complete, or False after a stop."""

    def step() -> bool:
        if connections.is_broken(job.connection):
            if plan.dry_run:
                raise ReplayAbortedError("The connection broke and took the dry run's results with it: run it again.")
            try:
                job.reconnect(replay.open_connection(database_url))
            except progress.ReplayRunningError as error:
                raise TransientError("PostgreSQL still holds the broken connection") from error
        return job.step()

    reported_at = time.monotonic()
    while not stop.requested:
        if not retry.retry_transient(
            step, seconds=RETRY_SECONDS, should_stop=lambda: stop.requested, on_retry=lambda: None
        ):
            return True
        if time.monotonic() - reported_at >= PROGRESS_SECONDS:
            reported_at = time.monotonic()
            print(f"replay: {job.progress_text}", file=sys.stderr)
    return False


def _print_report(job: Replay | Redrive, options: ReplayOptions, seconds: float, *, done: bool) -> None:
    report = job.report
    if options.as_json:
        head = {"dry_run": options.dry_run, "retried": options.kind, "done": done, "seconds": round(seconds, 3)}
        print(json.dumps(head | report.to_json(), ensure_ascii=False))
        return
    changes = "would change:" if options.dry_run else "repaired:"
    summary = changes if report.difference_counts else "no differences"
    print(f"{report.event_count:,} events read in {seconds:.1f} s; {summary}")
    for kind, count in sorted(report.difference_counts.items()):
        print(f"{count:>10,} {kind}")
        for example in report.examples[kind]:
            print(f"{'':>11}{example['where']}: {_format_value(example['was'])} -> {_format_value(example['now'])}")
    if not done:
        print("interrupted" + ("" if options.dry_run or options.kind else ": run it again to resume"))


def _format_value(value: object) -> str:
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False)
