"""`forget`: erases somebody, everywhere, for good; without `--yes` it only counts."""

import sys
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Mapping

from store.commands.command import OK, UNUSABLE, Command
from store.erasure import jobs, requests
from store.erasure.jobs import Erasure
from store.erasure.key_store import Keeping
from store.erasure.requests import OwnNumberError
from store.model import addresses
from store.postgres import connections, lock_retry, migrator

_BOUNDS = {"statement_timeout": "120s"}
_WORDS = {
    "messages": "messages in their chats, or theirs in groups",
    "marks": "reactions, edits, deletes and acks",
    "sends": "sends",
    "bodies": "raw bodies",
    "evidence": "proofs that a LID is a phone",
    "names": "names",
    "chats": "chats",
}


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("address", nargs="?", help="a phone in any spelling, a JID or a LID")
    parser.add_argument("--session", metavar="ID", help="only in this session; else in all")
    parser.add_argument("--yes", action="store_true", help="do it; else only count")
    parser.add_argument(
        "--reapply", action="store_true", help="after a restore: forget again whom the list in DATA_DIR names"
    )


def _run(chosen: Namespace, environ: Mapping[str, str]) -> int:
    try:
        return _forget(chosen, environ)
    except (_Refusal, OwnNumberError) as error:
        print(f"store: {error}", file=sys.stderr)
        return UNUSABLE


class _Refusal(Exception):  # noqa: N818 - it is one
    """Why nothing is done."""


def _forget(chosen: Namespace, environ: Mapping[str, str]) -> int:
    if chosen.reapply == (chosen.address is not None):
        raise _Refusal("name an address, or --reapply")
    address = None if chosen.address is None else addresses.read(chosen.address)
    if chosen.address is not None and address is None:
        raise _Refusal("that is neither a phone number with its country code nor a WhatsApp id such as …@lid")
    own = environ.get("SAK_PHONE")
    if own and address == addresses.read(own):
        raise _Refusal("that is SAK_PHONE, our own number, of which every message tells")
    with connections.open(connections.url(environ), "forget", bounds=_BOUNDS) as connection:
        if missing := migrator.missing(connection):
            raise _Refusal(f"the database lacks {', '.join(missing)}: run `python -m store migrate`")
        counted = Count()
        if address is None:
            many = requests.reapply(connection, environ, counted)
            print(f"{many:,} hashes of addresses are forgotten; erased:")
            return _say(counted.total)
        if not chosen.yes:
            print("This would be erased, and nothing was (add --yes):")
            return _say(requests.find(connection, address, chosen.session).counts)
        keeping = Keeping.from_environ(environ)
        somebody = lock_retry.through_locks(
            lambda: requests.record(connection, keeping, address, chosen.session), jobs.PATIENCE
        )
        jobs.finish(connection, keeping, counted)
        print(f"Forgotten, with {len(somebody.addresses)} known addresses; erased:")
        return _say(counted.total)


class Count:
    """What was erased, over everything that was."""

    def __init__(self) -> None:
        self._of = dict[int, Counter[str]]()

    def __call__(self, worked: Erasure) -> None:
        self._of[worked.erasure_id] = worked.erased

    @property
    def total(self) -> Counter[str]:
        return sum(self._of.values(), Counter[str]())


def _say(counts: Mapping[str, int]) -> int:
    for name, words in _WORDS.items():
        if name in counts:
            print(f"{counts[name]:>10,} {words}")
    return OK


COMMAND = Command("forget", "erase somebody, everywhere, for good (only count, without --yes)", _run, _arguments)
