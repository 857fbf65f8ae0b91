"""`python -m worker replay`: folds the history anew from what was received, as this version reads it."""

# ruff: noqa: T201 - a command prints its answer

import argparse
import hashlib
import json
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from store.erasure import suppressions
from store.erasure.key_store import Keeping, MissingKeyError
from store.erasure.suppressions import Forgets
from store.model.facts import Outcome
from store.postgres import connections, migrator
from store.postgres.connections import NoDatabaseError
from store.postgres.errors import StoreError, TransientError
from store.replay import progress, replay
from store.replay.parked_retry import Redrive
from store.replay.replay import Plan, Replay
from store.replay.report import Report
from store.replay.sources import Parser
from worker.drain import poison, retry
from worker.sak import parser

DONE, DIFFERS, UNUSABLE, BUSY, INTERRUPTED = 0, 1, 2, 3, 4

PATIENCE = 60.0
"""Seconds for which PostgreSQL may be away."""
EVERY = 5.0
"""Seconds between two words on how far it is."""


class CannotGoOnError(Exception):
    """The replay has to be started again."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for."""

    dry: bool = False
    parked: bool = False
    reason: str | None = None
    size: int = 512
    restart: bool = False
    as_json: bool = False


def _read(body: bytes) -> Outcome:
    return parser.read(body).outcome


def our_parser(known: Forgets) -> Parser:
    """The parser of this version; its name changes with every line of what reads and folds."""
    folders = (Path(parser.__file__).parent, Path(replay.__file__).parent.parent)
    digest = hashlib.sha256()
    for path in sorted(path for folder in folders for path in folder.rglob("*.py")):
        digest.update(path.read_bytes())
    return Parser(_read, digest.hexdigest()[:16], rejected=poison.REJECTED, deadly=poison.KILLER, known=known)


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """The exit code: 0 done, 1 a dry run found differences, 2 it could not run, 3 another one runs, 4 interrupted."""
    wish = _wish(arguments)
    stop = Stop()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    own_phone = "".join(filter(str.isdecimal, environ.get("SAK_PHONE", ""))) or None
    try:
        return run(
            connections.direct_url(environ),
            wish,
            our_parser(Forgets(Keeping.from_environ(environ).find)),
            stop=stop,
            own_phone=own_phone,
        )
    except progress.BusyError as error:
        print(f"replay: {error}", file=sys.stderr)
        return BUSY
    except (StoreError, NoDatabaseError, CannotGoOnError) as error:
        print(f"replay: {error}", file=sys.stderr)
        return UNUSABLE


def _wish(arguments: Sequence[str]) -> Wish:
    options = argparse.ArgumentParser(prog="python -m worker replay", description=__doc__)
    options.add_argument("--dry-run", action="store_true", help="only report what would change")
    options.add_argument("--parked", action="store_true", help="retry only what is parked")
    options.add_argument("--reason", help="with --parked: retry only what is parked for this reason")
    options.add_argument("--batch", type=_positive, default=512, metavar="N", help="events in one transaction (512)")
    options.add_argument("--restart", action="store_true", help="do not go on with an interrupted replay, begin anew")
    options.add_argument("--json", action="store_true", help="the report for machines")
    chosen = options.parse_args(arguments)
    if chosen.reason is not None and not chosen.parked:
        options.error("--reason goes with --parked")
    return Wish(chosen.dry_run, chosen.parked, chosen.reason, chosen.batch, chosen.restart, chosen.json)


def _positive(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 10_000:
        raise argparse.ArgumentTypeError("must be between 1 and 10000")
    return number


@dataclass(slots=True)
class Stop:
    """Whether somebody asked to stop; a signal handler that never raises."""

    asked: bool = False

    def __call__(self, *_: object) -> None:
        self.asked = True


def run(database_url: str, wish: Wish, parser: Parser, *, stop: Stop, own_phone: str | None = None) -> int:
    """Replay until it is done or somebody asks to stop; the exit code."""
    with connections.open(database_url, "replay") as connection:
        if missing := migrator.missing(connection):
            raise CannotGoOnError(f"The database lacks {', '.join(missing)}: run `python -m store migrate`.")
        try:
            suppressions.check(connection, parser.known)
        except MissingKeyError as error:
            raise CannotGoOnError(str(error)) from error
    plan = Plan(parser, own_phone=own_phone, size=wish.size, dry=wish.dry)
    connection = replay.open(database_url, plan)
    job = (
        Redrive(connection, plan, reason=wish.reason) if wish.parked else Replay(connection, plan, restart=wish.restart)
    )
    began = time.monotonic()
    try:
        done = _work(job, database_url, plan, stop)
    finally:
        job.connection.close()
    _print(job, wish, time.monotonic() - began, done=done)
    if not done:
        return INTERRUPTED
    return DIFFERS if wish.dry and job.report.counts else DONE


def _work(job: Replay | Redrive, database_url: str, plan: Plan, stop: Stop) -> bool:
    """Step until nothing is left, through bad weather; returns whether that is so."""

    def step() -> bool:
        if connections.is_broken(job.connection):
            if plan.dry:
                raise CannotGoOnError("The connection broke, and with it what a dry run remembers: run it again.")
            try:
                job.go_on(replay.open(database_url, plan))
            except progress.BusyError as error:
                raise TransientError("PostgreSQL still has the connection that broke") from error
        return job.step()

    told = time.monotonic()
    while not stop.asked:
        if not retry.through_bad_weather(step, seconds=PATIENCE, stopping=lambda: stop.asked, before_next=lambda: None):
            return True
        if time.monotonic() - told >= EVERY:
            told = time.monotonic()
            print(f"replay: {job.where}", file=sys.stderr)
    return False


def _print(job: Replay | Redrive, wish: Wish, seconds: float, *, done: bool) -> None:
    report = job.report
    if wish.as_json:
        said = {"dry_run": wish.dry, "parked": wish.parked, "done": done, "seconds": round(seconds, 3)}
        print(json.dumps({**said, **report.document()}, ensure_ascii=False))
        return
    print(f"{report.events:,} events read in {seconds:.1f} s; {_outcome(report, wish)}")
    for kind, count in sorted(report.counts.items()):
        print(f"{count:>10,} {kind}")
        for example in report.examples[kind]:
            print(f"{'':>11}{example['where']}: {_shown(example['was'])} -> {_shown(example['now'])}")
    if not done:
        print("interrupted" + ("" if wish.dry or wish.parked else ": run it again to go on from here"))


def _outcome(report: Report, wish: Wish) -> str:
    if not report.counts:
        return "nothing differs"
    return "this would change:" if wish.dry else "this was different and is repaired:"


def _shown(value: object) -> str:
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False)
