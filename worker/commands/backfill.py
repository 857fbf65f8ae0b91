"""`python -m worker backfill NAME`: stores the past messages that the gateway of a sender still has."""

# ruff: noqa: T201 - a command prints its answer

import argparse
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from environment import senders_file
from environment.senders_file import Sender
from store.erasure import suppressions
from store.erasure.key_store import SuppressionKeyError, SuppressionKeyStore
from store.erasure.suppressions import SuppressionCache
from store.ingestion import backfills
from store.ingestion.backfills import BackfillRunningError
from store.postgres import connections, migrator
from store.postgres.connections import DatabaseUrlError
from store.postgres.errors import StoreError
from telemetry.errors import SettingsError
from worker import settings
from worker.backfill import gateways
from worker.backfill.errors import BackfillError
from worker.backfill.run import BackfillRun, Progress
from worker.commands.replay import StopSignal

DONE, FAILED, BUSY, INTERRUPTED = 0, 2, 3, 4

PROGRESS_SECONDS = 5.0
"""The time between two lines of progress, in seconds."""


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run the command. Exit codes: 0 done, 2 failed, 3 another backfill is running, 4 interrupted.

    Raises SettingsError.
    """
    chosen = _parse_options(arguments)
    sender = _find_sender(senders_file.read_all(environ), chosen.name)
    stop = StopSignal()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    try:
        return _run(sender, chosen, environ, stop)
    except BackfillRunningError as error:
        print(f"backfill: {error}", file=sys.stderr)
        return BUSY
    except (BackfillError, StoreError, DatabaseUrlError, SuppressionKeyError) as error:
        print(f"backfill: {error}", file=sys.stderr)
        return FAILED


def _parse_options(arguments: Sequence[str]) -> argparse.Namespace:
    options = argparse.ArgumentParser(prog="python -m worker backfill", description=__doc__)
    options.add_argument("name", metavar="NAME", help="the sender's name in senders.toml")
    options.add_argument("--since", type=_since, metavar="DATE", help="only messages from this date or time on (UTC)")
    options.add_argument("--pause", type=_pause, default=0.5, metavar="SECONDS", help="between two requests (0.5)")
    options.add_argument("--restart", action="store_true", help="start over instead of resuming an interrupted one")
    return options.parse_args(arguments)


def _since(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError("must be a date such as 2026-01-31, or a time") from None
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def _pause(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds <= 60:
        raise argparse.ArgumentTypeError("must be between 0 and 60")
    return seconds


def _find_sender(senders: Mapping[str, Sender], name: str) -> Sender:
    sender = senders.get(name)
    if sender is None:
        known = f"known are {', '.join(sorted(senders))}" if senders else "`python -m api senders add` adds one"
        raise SettingsError(f"There is no sender {name} in senders.toml or the variables: {known}.")
    if sender.kind not in gateways.KINDS:
        raise SettingsError(
            f"The past of a gateway of kind {sender.kind} cannot be read, only of {', '.join(gateways.KINDS)}."
        )
    if sender.base_url is None or sender.api_key is None:
        missing = "base_url" if sender.base_url is None else "api_key"
        raise SettingsError(f"The sender {name} has no {missing}: its gateway cannot be called.")
    return sender


def _run(sender: Sender, chosen: argparse.Namespace, environ: Mapping[str, str], stop: StopSignal) -> int:
    cache = SuppressionCache(SuppressionKeyStore.from_environ(environ).find_key)
    with connections.open(connections.direct_url(environ), "backfill") as connection:
        if missing := migrator.missing(connection):
            raise BackfillError(f"The database lacks {', '.join(missing)}: run `python -m store migrate`.")
        suppressions.check_key(connection, cache)
        backfills.acquire_lock(connection)
        now = round(time.time() * 1000)
        backfill = backfills.begin(connection, sender.id, chosen.since, now, restart=chosen.restart)
        if backfill.cursor is not None:
            print(f"backfill: resuming after {backfill.events:,} messages", file=sys.stderr)
        assert sender.base_url is not None, "checked by _find_sender"
        assert sender.api_key is not None, "checked by _find_sender"
        gateway = gateways.connect(sender.kind, sender.base_url, sender.api_key, pause_seconds=chosen.pause)
        run = BackfillRun(connection, gateway, settings.own_phone(environ), cache, now)
        reporter = _Reporter()

        def stopped() -> bool:
            reporter.report(run.progress)
            return stop.requested

        done = run.run(backfill, stopped)
    print(_describe(run.progress))
    if not done:
        print("interrupted: run it again to resume")
    return DONE if done else INTERRUPTED


class _Reporter:
    """The progress printed to the terminal, at most one line every few seconds."""

    def __init__(self) -> None:
        self._reported_at = time.monotonic()

    def report(self, progress: Progress) -> None:
        if time.monotonic() - self._reported_at >= PROGRESS_SECONDS:
            self._reported_at = time.monotonic()
            print(f"backfill: {_describe(progress)}; at {progress.place}", file=sys.stderr, flush=True)


def _describe(progress: Progress) -> str:
    counts = ", ".join(f"{count:,} {kind}" for kind, count in sorted(progress.counts.items())) or "nothing"
    return f"{progress.pages:,} pages read: {counts}"
