"""Who is forgotten, as one process knows it: read anew only when somebody was added."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import cast

from store.erasure.key_store import SuppressionKey, SuppressionKeyError
from store.postgres import errors
from store.postgres.connections import Connection

ADVISORY_LOCK = 5_520_318_846_120_947_713
"""Shared by whoever writes, taken alone by whoever forgets (store/migrations/0009_erasure.sql)."""
_MAX_CACHED_HASHES = 65_536
"""So many hashes of addresses are remembered: most events are of people who wrote before."""


@dataclass(frozen=True, slots=True)
class Suppression:
    """An address that is forgotten up to a receipt, in ms, in a session; None: in all."""

    session_id: str | None
    address: str
    received_until: int


@dataclass(slots=True)
class SuppressionSet:
    """What was forgotten when it was read."""

    key: SuppressionKey
    version: int
    received_until_by_hash: Mapping[bytes, int]
    latest_received_until: int
    """The latest receipt that anybody is forgotten up to: what came later is checked for copies only."""
    _hash_cache: dict[tuple[str | None, str], bytes] = field(default_factory=dict[tuple[str | None, str], bytes])

    def received_until_in_scope(self, session_id: str | None, address: str) -> int | None:
        """Up to when the address is forgotten by this very scope; None: it is not."""
        mac = self._hash_cache.get((session_id, address))
        if mac is None:
            if len(self._hash_cache) >= _MAX_CACHED_HASHES:
                self._hash_cache.clear()
            mac = self._hash_cache[session_id, address] = self.key.hash_address(session_id, address)
        return self.received_until_by_hash.get(mac)

    def received_until(self, session_id: str | None, address: str) -> int | None:
        """Up to when the address is forgotten in a session, for whichever reason."""
        found = [
            self.received_until_in_scope(None, address),
            None if session_id is None else self.received_until_in_scope(session_id, address),
        ]
        return max((upto for upto in found if upto is not None), default=None)


class SuppressionCache:
    """One process's knowledge; `key` finds the key whenever it is needed, as the first forget makes it."""

    def __init__(self, find_key: Callable[[], SuppressionKey | None] | None = None) -> None:
        self._find_key = find_key
        self._cached: SuppressionSet | None = None

    def current(self, connection: Connection) -> SuppressionSet | None:
        """Who is forgotten, None if nobody ever was; and nobody more will be before the caller's transaction ends.

        To be asked before anything else in a transaction that writes. Raises MissingKeyError.
        """
        row = connection.execute("SELECT lock_suppressions()").fetchone()
        version = cast("int", row[0]) if row else 0
        if version == 0:
            return None
        if self._cached is None or self._cached.version != version:
            self._cached = self._load(connection, version)
        return self._cached

    def _load(self, connection: Connection, version: int) -> SuppressionSet:
        key = None if self._find_key is None else self._find_key()
        row = connection.execute("SELECT v.key_check FROM suppression_version AS v").fetchone()
        verify_key(key, None if row is None else cast("bytes | None", row[0]))
        assert key is not None, "verified"
        upto = read_all(connection)
        return SuppressionSet(key, version, upto, max(upto.values(), default=-1))


def verify_key(key: SuppressionKey | None, fingerprint: bytes | None) -> None:
    """Raise MissingKeyError unless the key is the one that was forgotten with."""
    if key is None:
        raise SuppressionKeyError(
            "People are forgotten in this database, and their key is not here: set FORGET_KEY to it, or put the file"
            " forget-key of the machine that forgot them into DATA_DIR. Nothing is written until then."
        )
    if fingerprint is not None and fingerprint != key.fingerprint:
        raise SuppressionKeyError(
            "FORGET_KEY, or the file forget-key in DATA_DIR, is not the key with which people were forgotten in this"
            " database. Nothing is written until it is."
        )


def check_key(connection: Connection, cache: SuppressionCache) -> None:
    """Raise MissingKeyError where this process could not tell who is forgotten."""
    with errors.translated(), connection.transaction():
        cache.current(connection)


def read_all(connection: Connection) -> dict[bytes, int]:
    found = connection.execute("SELECT f.mac, f.received_until FROM suppressions AS f", binary=True)
    return dict(cast("Iterable[tuple[bytes, int]]", found))


def lock_shared(connection: Connection) -> None:
    """Let nobody be forgotten before the caller's transaction ends."""
    connection.execute("SELECT pg_advisory_xact_lock_shared(%s)", [ADVISORY_LOCK])


def lock_exclusive(connection: Connection) -> None:
    """Wait until nobody writes who does not know of every forget; others wait until the caller's transaction ends."""
    connection.execute("SELECT pg_advisory_xact_lock(%s)", [ADVISORY_LOCK])


def record(connection: Connection, key: SuppressionKey, received_until_by_hash: Mapping[bytes, int]) -> None:
    """Let these be forgotten, if they are not already, up to then."""
    connection.execute(
        """
        INSERT INTO suppressions AS f (mac, received_until)
        SELECT r.mac, r.received_until
        FROM unnest(%(macs)s::bytea[], %(uptos)s::bigint[]) AS r (mac, received_until)
        ORDER BY r.mac
        ON CONFLICT (mac) DO UPDATE SET received_until = excluded.received_until
            WHERE f.received_until < excluded.received_until
        """,
        {"macs": list(received_until_by_hash), "uptos": list(received_until_by_hash.values())},
    )
    connection.execute("UPDATE suppression_version SET version = version + 1, key_check = %s", [key.fingerprint])


def enqueue_erasure(
    connection: Connection, session_id: str | None, addresses: Collection[str], received_until: int
) -> int:
    """Write down that these addresses of one person are to be erased (store/erasure/jobs.py); returns its number."""
    row = connection.execute(
        "INSERT INTO erasures (session_id, addresses, received_until) VALUES (%s, %s, %s) RETURNING erasure_id",
        [session_id, sorted(addresses), received_until],
    ).fetchone()
    assert row is not None
    return cast("int", row[0])


def add_aliases(connection: Connection, suppression_set: SuppressionSet, suppressions: Collection[Suppression]) -> None:
    """Forget these as well, because they proved to be somebody who is forgotten: last in a transaction."""
    if suppressions:
        for one in suppressions:
            enqueue_erasure(connection, one.session_id, [one.address], one.received_until)
        record(
            connection,
            suppression_set.key,
            {suppression_set.key.hash_address(f.session_id, f.address): f.received_until for f in suppressions},
        )
