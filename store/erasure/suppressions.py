"""Who is forgotten, as one process knows it: read anew only when somebody was added."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import cast

from store.erasure.key_store import Key, MissingKeyError
from store.postgres import errors
from store.postgres.connections import Connection

LOCK = 5_520_318_846_120_947_713
"""Shared by whoever writes, taken alone by whoever forgets (store/migrations/0043_forgets.sql)."""
_ADDRESSES = 65_536
"""So many hashes of addresses are remembered: most events are of people who wrote before."""


@dataclass(frozen=True, slots=True)
class Forget:
    """An address that is forgotten up to a receipt, in ms, in a session; None: in all."""

    session_id: str | None
    address: str
    upto: int


@dataclass(slots=True)
class Known:
    """What was forgotten when it was read."""

    key: Key
    version: int
    upto: Mapping[bytes, int]
    last: int
    """The latest receipt that anybody is forgotten up to: what came later is checked for copies only."""
    _macs: dict[tuple[str | None, str], bytes] = field(default_factory=dict[tuple[str | None, str], bytes])

    def of(self, session_id: str | None, address: str) -> int | None:
        """Up to when the address is forgotten by this very scope; None: it is not."""
        mac = self._macs.get((session_id, address))
        if mac is None:
            if len(self._macs) >= _ADDRESSES:
                self._macs.clear()
            mac = self._macs[session_id, address] = self.key.of_address(session_id, address)
        return self.upto.get(mac)

    def within(self, session_id: str | None, address: str) -> int | None:
        """Up to when the address is forgotten in a session, for whichever reason."""
        found = [self.of(None, address), None if session_id is None else self.of(session_id, address)]
        return max((upto for upto in found if upto is not None), default=None)


class Forgets:
    """One process's knowledge; `key` finds the key whenever it is needed, as the first forget makes it."""

    def __init__(self, key: Callable[[], Key | None] | None = None) -> None:
        self._key = key
        self._known: Known | None = None

    def current(self, connection: Connection) -> Known | None:
        """Who is forgotten, None if nobody ever was; and nobody more will be before the caller's transaction ends.

        To be asked before anything else in a transaction that writes. Raises MissingKeyError.
        """
        row = connection.execute("SELECT forgets_version()").fetchone()
        version = cast("int", row[0]) if row else 0
        if version == 0:
            return None
        if self._known is None or self._known.version != version:
            self._known = self._read(connection, version)
        return self._known

    def _read(self, connection: Connection, version: int) -> Known:
        key = None if self._key is None else self._key()
        row = connection.execute("SELECT v.key_check FROM forget_version AS v").fetchone()
        verify(key, None if row is None else cast("bytes | None", row[0]))
        assert key is not None, "verified"
        upto = every(connection)
        return Known(key, version, upto, max(upto.values(), default=-1))


def verify(key: Key | None, check: bytes | None) -> None:
    """Raise MissingKeyError unless the key is the one that was forgotten with."""
    if key is None:
        raise MissingKeyError(
            "People are forgotten in this database, and their key is not here: set FORGET_KEY to it, or put the file"
            " forget-key of the machine that forgot them into DATA_DIR. Nothing is written until then."
        )
    if check is not None and check != key.check:
        raise MissingKeyError(
            "FORGET_KEY, or the file forget-key in DATA_DIR, is not the key with which people were forgotten in this"
            " database. Nothing is written until it is."
        )


def check(connection: Connection, forgets: Forgets) -> None:
    """Raise MissingKeyError where this process could not tell who is forgotten."""
    with errors.translated(), connection.transaction():
        forgets.current(connection)


def every(connection: Connection) -> dict[bytes, int]:
    found = connection.execute("SELECT f.mac, f.upto FROM forgets AS f", binary=True)
    return dict(cast("Iterable[tuple[bytes, int]]", found))


def hold(connection: Connection) -> None:
    """Let nobody be forgotten before the caller's transaction ends."""
    connection.execute("SELECT pg_advisory_xact_lock_shared(%s)", [LOCK])


def alone(connection: Connection) -> None:
    """Wait until nobody writes who does not know of every forget; others wait until the caller's transaction ends."""
    connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])


def record(connection: Connection, key: Key, macs: Mapping[bytes, int]) -> None:
    """Let these be forgotten, if they are not already, up to then."""
    connection.execute(
        """
        INSERT INTO forgets AS f (mac, upto)
        SELECT r.mac, r.upto
        FROM unnest(%(macs)s::bytea[], %(uptos)s::bigint[]) AS r (mac, upto)
        ORDER BY r.mac
        ON CONFLICT (mac) DO UPDATE SET upto = excluded.upto WHERE f.upto < excluded.upto
        """,
        {"macs": list(macs), "uptos": list(macs.values())},
    )
    connection.execute("UPDATE forget_version SET version = version + 1, key_check = %s", [key.check])


def erase_later(connection: Connection, session_id: str | None, addresses: Collection[str], upto: int) -> int:
    """Write down that these addresses of one person are to be erased (store/erasure/jobs.py); returns its number."""
    row = connection.execute(
        "INSERT INTO erasures (session_id, addresses, upto) VALUES (%s, %s, %s) RETURNING erasure_id",
        [session_id, sorted(addresses), upto],
    ).fetchone()
    assert row is not None
    return cast("int", row[0])


def extend(connection: Connection, known: Known, forgets: Collection[Forget]) -> None:
    """Forget these as well, because they proved to be somebody who is forgotten: last in a transaction."""
    if forgets:
        for one in forgets:
            erase_later(connection, one.session_id, [one.address], one.upto)
        record(connection, known.key, {known.key.of_address(f.session_id, f.address): f.upto for f in forgets})
