"""`forget`: erases a person from the whole history; without `--yes` it only counts."""

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
    "messages": "messages in their chats and by them in groups",
    "updates": "reactions, edits, deletions and acknowledgements",
    "sends": "sends",
    "raw_events": "raw bodies",
    "lid_evidence": "pairs of a LID and a phone",
    "names": "names",
    "chats": "chats",
}


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("address", nargs="?", help="a phone number in any spelling, a JID or a LID")
    parser.add_argument("--session", metavar="ID", help="erase only in this session; default: in all")
    parser.add_argument("--yes", action="store_true", help="erase; without it only count")
    parser.add_argument("--reapply", action="store_true", help="after a restore: erase again all in DATA_DIR's list")


def _run(options: Namespace, environ: Mapping[str, str]) -> int:
    try:
        return _execute(options, environ)
    except (_UsageError, OwnNumberError) as error:
        print(f"store: {error}", file=sys.stderr)
        return CANNOT_RUN


class _UsageError(Exception):
    """The command cannot run with these arguments or on this database."""


def _execute(options: Namespace, environ: Mapping[str, str]) -> int:
    if options.reapply == (options.address is not None):
        raise _UsageError("Name an address, or use --reapply.")
    address = None if options.address is None else addresses.parse(options.address)
    if options.address is not None and address is None:
        raise _UsageError("The address is neither a phone number with country code nor a WhatsApp id such as …@lid.")
    own_phone = environ.get("SAK_PHONE")
    if own_phone and address == addresses.parse(own_phone):
        raise _UsageError("The address is SAK_PHONE, our own number, which every message contains. Name another one.")
    with connections.open(connections.url(environ), "forget", overrides=_SESSION_SETTINGS) as connection:
        if missing := migrator.missing(connection):
            raise _UsageError(f"The database lacks {', '.join(missing)}. Run `python -m store migrate`.")
        if address is not None and not options.yes:
            print("This would be erased, and nothing was (add --yes):")
            return _print_counts(requests.preview(connection, address, options.session).counts)
        erased: dict[int, Counter[str]] = {}

        def keep_counts(job: ErasureJob) -> None:
            erased[job.erasure_id] = job.erased_counts

        if address is None:
            count = requests.reapply(connection, environ, keep_counts)
            print(f"Applied {count:,} suppressions. Erased:")
        else:
            key_store = SuppressionKeyStore.from_environ(environ)
            subject = lock_retry.retry_on_lock(
                lambda: requests.record(connection, key_store, address, options.session), jobs.STEP_RETRY_SECONDS
            )
            jobs.run_all(connection, key_store, keep_counts)
            print(f"Erased, with {len(subject.addresses)} known addresses:")
        return _print_counts(sum(erased.values(), Counter[str]()))


def _print_counts(counts: Mapping[str, int]) -> int:
    for name, label in _COUNT_LABELS.items():
        if name in counts:
            print(f"{counts[name]:>10,} {label}")
    return OK


COMMAND = Command("forget", "erase a person everywhere, irrevocably (without --yes: count)", _run, _add_arguments)
