"""`forget`: erases somebody, everywhere, for good; without `--yes` it only counts."""

import sys
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Mapping

from store.commands.command import CANNOT_RUN, OK, Command
from store.erasure import jobs, requests
from store.erasure.jobs import ErasureJob
from store.erasure.key_store import SuppressionKeyStore
from store.erasure.requests import OwnNumberError
from store.model import addresses
from store.postgres import connections, lock_retry, migrator

_SESSION_SETTINGS = {"statement_timeout": "120s"}
_COUNT_LABELS = {
    "messages": "messages in their chats, or theirs in groups",
    "updates": "reactions, edits, deletes and acks",
    "sends": "sends",
    "bodies": "raw bodies",
    "evidence": "proofs that a LID is a phone",
    "names": "names",
    "chats": "chats",
}


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("address", nargs="?", help="a phone in any spelling, a JID or a LID")
    parser.add_argument("--session", metavar="ID", help="only in this session; else in all")
    parser.add_argument("--yes", action="store_true", help="do it; else only count")
    parser.add_argument(
        "--reapply", action="store_true", help="after a restore: forget again whom the list in DATA_DIR names"
    )


def _run(options: Namespace, environ: Mapping[str, str]) -> int:
    try:
        return _execute(options, environ)
    except (_UsageError, OwnNumberError) as error:
        print(f"store: {error}", file=sys.stderr)
        return CANNOT_RUN


class _UsageError(Exception):
    """Why nothing is done."""


def _execute(options: Namespace, environ: Mapping[str, str]) -> int:
    if options.reapply == (options.address is not None):
        raise _UsageError("name an address, or --reapply")
    address = None if options.address is None else addresses.parse(options.address)
    if options.address is not None and address is None:
        raise _UsageError("that is neither a phone number with its country code nor a WhatsApp id such as …@lid")
    own = environ.get("SAK_PHONE")
    if own and address == addresses.parse(own):
        raise _UsageError("that is SAK_PHONE, our own number, of which every message tells")
    with connections.open(connections.url(environ), "forget", overrides=_SESSION_SETTINGS) as connection:
        if missing := migrator.missing(connection):
            raise _UsageError(f"the database lacks {', '.join(missing)}: run `python -m store migrate`")
        counted = ErasedCounts()
        if address is None:
            many = requests.reapply(connection, environ, counted)
            print(f"{many:,} hashes of addresses are forgotten; erased:")
            return _print_counts(counted.total)
        if not options.yes:
            print("This would be erased, and nothing was (add --yes):")
            return _print_counts(requests.preview(connection, address, options.session).counts)
        keeping = SuppressionKeyStore.from_environ(environ)
        somebody = lock_retry.retry_on_lock(
            lambda: requests.record(connection, keeping, address, options.session), jobs.STEP_RETRY_SECONDS
        )
        jobs.run_all(connection, keeping, counted)
        print(f"Forgotten, with {len(somebody.addresses)} known addresses; erased:")
        return _print_counts(counted.total)


class ErasedCounts:
    """What was erased, over everything that was."""

    def __init__(self) -> None:
        self._counts_by_job = dict[int, Counter[str]]()

    def __call__(self, job: ErasureJob) -> None:
        self._counts_by_job[job.erasure_id] = job.erased_counts

    @property
    def total(self) -> Counter[str]:
        return sum(self._counts_by_job.values(), Counter[str]())


def _print_counts(counts: Mapping[str, int]) -> int:
    for name, words in _COUNT_LABELS.items():
        if name in counts:
            print(f"{counts[name]:>10,} {words}")
    return OK


COMMAND = Command("forget", "erase somebody, everywhere, for good (only count, without --yes)", _run, _add_arguments)
