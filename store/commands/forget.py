"""`forget`: erases a person from the history and from this host's quarantine; without `--yes` it only counts."""

import shlex
import sqlite3
import sys
import time
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Mapping

from store.commands.command import CANNOT_RUN, INCOMPLETE, OK, Command
from store.erasure import jobs, quarantine, requests
from store.erasure.jobs import ErasureJob
from store.erasure.key_store import SuppressionKeyStore
from store.erasure.requests import OwnNumberError
from store.erasure.subjects import ErasureSubject
from store.model import addresses
from store.postgres import connections, lock_retry, migrator
from store.postgres.connections import Connection

_SESSION_SETTINGS = {"statement_timeout": "120s"}
_COUNT_LABELS = {
    "messages": "messages in their chats and by them in groups",
    "updates": "reactions, edits, deletions and acknowledgements",
    "sends": "sends",
    "raw_events": "raw bodies",
    "lid_evidence": "pairs of a LID and a phone",
    "names": "names",
    "labels": "labels",
    "notes": "notes",
    "chats": "chats",
}


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "addresses", metavar="address", nargs="*", help="a phone in any spelling, a JID, a LID or Meta's id"
    )
    parser.add_argument(
        "--session",
        metavar="ID",
        dest="sessions",
        action="append",
        default=[],
        help="erase only in this session and the others of its account; default: in all",
    )
    parser.add_argument("--yes", action="store_true", help="erase; without it only count")
    parser.add_argument(
        "--reapply", action="store_true", help="after a restore: repeat all erasures in DATA_DIR's list"
    )
    parser.add_argument(
        "--quarantine-only",
        action="store_true",
        help="erase only in the quarantine of this host's ingest, by these addresses; needs no database",
    )


def _run(options: Namespace, environ: Mapping[str, str]) -> int:
    try:
        return _execute(options, environ)
    except (_UsageError, OwnNumberError) as error:
        print(f"store: {error}", file=sys.stderr)
        return CANNOT_RUN


class _UsageError(Exception):
    """The command cannot run with these arguments or on this database."""


def _execute(options: Namespace, environ: Mapping[str, str]) -> int:
    people = _parse_addresses(options, environ)
    if options.quarantine_only:
        subject = ErasureSubject(tuple(options.sessions) or None, people, 0)
        return _run_in_quarantine(subject, environ, erase=options.yes)
    session_id = options.sessions[0] if options.sessions else None
    with connections.open(connections.url(environ), "forget", overrides=_SESSION_SETTINGS) as connection:
        if missing := migrator.missing(connection):
            raise _UsageError(f"The database lacks {', '.join(missing)}. Run `python -m store migrate`.")
        if not people:
            return _reapply(connection, environ)
        if options.yes:
            return _erase(connection, environ, people[0], session_id)
        return _preview(connection, environ, people[0], session_id)


def _preview(connection: Connection, environ: Mapping[str, str], address: str, session_id: str | None) -> int:
    print("This would be erased, and nothing was (add --yes):")
    preview = requests.preview(connection, address, session_id)
    _print_counts(preview.counts)
    return _run_in_quarantine(preview.subject, environ, erase=False)


def _reapply(connection: Connection, environ: Mapping[str, str]) -> int:
    erased = _ErasedCounts()
    count = requests.reapply(connection, environ, erased.record)
    print(f"Applied {count:,} suppressions. Erased:")
    _print_counts(erased.total())
    return OK


def _erase(connection: Connection, environ: Mapping[str, str], address: str, session_id: str | None) -> int:
    key_store = SuppressionKeyStore.from_environ(environ)
    subject = lock_retry.retry_on_lock(
        lambda: requests.record(connection, key_store, address, session_id), jobs.STEP_RETRY_SECONDS
    )
    # The quarantine comes first. A worker may finish the erasure at any time, and deletes the only record of the
    # person's other addresses, by which the quarantine is searched.
    code = _run_in_quarantine(subject, environ, erase=True)
    erased = _ErasedCounts()
    jobs.run_all(connection, key_store, erased.record)
    print(f"Erased, with {len(subject.addresses)} known addresses:")
    _print_counts(erased.total())
    sessions = [word for each in subject.session_ids or () for word in ("--session", each)]
    arguments = shlex.join([*subject.addresses, *sessions, "--quarantine-only", "--yes"])
    hosts = "every other host" if code == OK else "this and every other host"
    print(f"On {hosts} with an ingest, erase in its quarantine: python -m store forget {arguments}")
    return code


class _ErasedCounts:
    """The numbers of rows that the steps of several erasures erased."""

    def __init__(self) -> None:
        self._by_erasure: dict[int, Counter[str]] = {}

    def record(self, job: ErasureJob) -> None:
        self._by_erasure[job.erasure_id] = job.erased_counts

    def total(self) -> Counter[str]:
        return sum(self._by_erasure.values(), Counter[str]())


def _parse_addresses(options: Namespace, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the addresses, or none with `--reapply`. Raises _UsageError."""
    if options.reapply == bool(options.addresses) or (options.reapply and options.quarantine_only):
        raise _UsageError("Name an address, or use --reapply.")
    if max(len(options.addresses), len(options.sessions)) > 1 and not options.quarantine_only:
        raise _UsageError(
            "Name one address, in quotation marks, and one session; only --quarantine-only takes several."
        )
    own_phone = environ.get("SAK_PHONE")
    people: list[str] = []
    for spelled in options.addresses:
        address = addresses.parse(spelled) or addresses.parse_business_scoped(spelled)
        if address is None:
            raise _UsageError(
                "The address is neither a phone number with country code nor an id such as …@lid or Meta's IN.…."
            )
        if own_phone and address == addresses.parse(own_phone):
            raise _UsageError(
                "The address is SAK_PHONE, the session's own number, which every message contains. Name another one."
            )
        people.append(address)
    return tuple(people)


def _run_in_quarantine(subject: ErasureSubject, environ: Mapping[str, str], *, erase: bool) -> int:
    """Erase or count webhooks in the quarantine of this host and print their number. Return the exit code."""
    path = quarantine.path(environ)
    try:
        if erase and path.parent.exists():
            time.sleep(quarantine.FLUSH_SECONDS)
        found = (quarantine.erase if erase else quarantine.count)(path, subject)
    except (sqlite3.Error, OSError) as error:
        print(
            f"store: {path} cannot be searched ({type(error).__name__}). Search it as the user that runs ingest;"
            " if that fails as well, delete the file.",
            file=sys.stderr,
        )
        return INCOMPLETE
    print(f"{found:>10,} webhooks {'erased' if erase else 'to erase'} in this host's quarantine ({path})")
    return OK


def _print_counts(counts: Mapping[str, int]) -> None:
    for name, label in _COUNT_LABELS.items():
        if name in counts:
            print(f"{counts[name]:>10,} {label}")


COMMAND = Command("forget", "erase a person everywhere, irrevocably (without --yes: count)", _run, _add_arguments)
