"""Reads and adds the suppressions of a database. Each process caches them until their version changes."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import cast

from store.erasure.key_store import SuppressionKey, SuppressionKeyError
from store.history.sessions.accounts import Accounts
from store.postgres import advisory_locks, errors
from store.postgres.connections import Connection

_MAX_CACHED_HASHES = 65_536
"""The number of addresses whose hashes are cached. Most events come from people who wrote before."""


@dataclass(frozen=True, slots=True)
class Suppression:
    """An address of an erased person in one session, or in all sessions (None). Times are in ms."""

    session_id: str | None
    address: str
    received_until: int


@dataclass(slots=True)
class SuppressionSet:
    """All suppressions of one version."""

    key: SuppressionKey
    version: int
    received_until_by_hash: Mapping[bytes, int]
    latest_received_until: int
    """The latest time of all suppressions. An event received later can only be a copy of an erased message."""
    _hash_cache: dict[tuple[str | None, str], bytes] = field(default_factory=dict[tuple[str | None, str], bytes])

    def received_until_in_scope(self, session_id: str | None, address: str) -> int | None:
        """Return the suppression of an address in exactly this scope, or None if there is none."""
        mac = self._hash_cache.get((session_id, address))
        if mac is None:
            if len(self._hash_cache) >= _MAX_CACHED_HASHES:
                self._hash_cache.clear()
            mac = self._hash_cache[session_id, address] = self.key.hash_address(session_id, address)
        return self.received_until_by_hash.get(mac)

    def latest_of(self, scopes: Collection[str | None], addresses: Iterable[str]) -> int | None:
        """Return the latest suppression of any of these addresses in any of these scopes, or None if there is none."""
        return latest_time(self.received_until_in_scope(scope, address) for address in addresses for scope in scopes)

    def covers(self, scopes: Collection[str | None], addresses: Iterable[str], received_at: int) -> bool:
        """Return whether events about any of these addresses that were received at this time (in ms) are suppressed."""
        received_until = self.latest_of(scopes, addresses)
        return received_until is not None and received_at <= received_until


def scopes_of(known_accounts: Accounts, session_id: str | None) -> Collection[str | None]:
    """Return the scopes of a session's suppressions: all sessions (None), and each session of its account."""
    return (None,) if session_id is None else (None, *known_accounts.sessions_of(session_id))


def latest_time(times: Iterable[int | None]) -> int | None:
    return max((time for time in times if time is not None), default=None)


class SuppressionCache:
    """A process's copy of the suppressions.

    `find_key` is called at each load, because the first erasure may create the key while the process runs.
    """

    def __init__(self, find_key: Callable[[], SuppressionKey | None] = lambda: None) -> None:
        self._find_key = find_key
        self._cached: SuppressionSet | None = None

    def current(self, connection: Connection) -> SuppressionSet | None:
        """Return the suppressions, or None if there are none. They cannot change until the transaction ends.

        This must be the first statement of a transaction that writes the history. Raises SuppressionKeyError.
        """
        row = connection.execute("SELECT lock_suppressions()").fetchone()
        version = cast("int", row[0]) if row else 0
        if version == 0:
            return None
        if self._cached is None or self._cached.version != version:
            key = require_key(connection, self._find_key)
            times = read_all(connection)
            self._cached = SuppressionSet(key, version, times, max(times.values(), default=-1))
        return self._cached


def read_fingerprint(connection: Connection) -> bytes | None:
    """Return the fingerprint of the database's key, or None if nothing was erased yet."""
    row = connection.execute("SELECT v.key_check FROM suppression_version AS v").fetchone()
    return None if row is None else cast("bytes | None", row[0])


def require_key(connection: Connection, find_key: Callable[[], SuppressionKey | None]) -> SuppressionKey:
    """Return the key of the database's suppressions. Raises SuppressionKeyError if it is missing or differs."""
    key = find_key()
    if key is None:
        raise SuppressionKeyError(
            "This database contains suppressions of erased people, and their key is missing. Set FORGET_KEY to it, or"
            " copy the file forget-key from the machine that erased them into DATA_DIR. Nothing is written until then."
        )
    if read_fingerprint(connection) not in (None, key.fingerprint):
        raise SuppressionKeyError(
            "FORGET_KEY, or the file forget-key in DATA_DIR, is not the key of this database's suppressions. Replace it"
            " by the right one. Nothing is written until then."
        )
    return key


def check_key(connection: Connection, cache: SuppressionCache) -> None:
    """Raise SuppressionKeyError if this process lacks the key that the database requires."""
    with errors.translated(), connection.transaction():
        cache.current(connection)


def read_all(connection: Connection) -> dict[bytes, int]:
    cursor = connection.execute("SELECT s.mac, s.received_until FROM suppressions AS s", binary=True)
    return dict(cast("Iterable[tuple[bytes, int]]", cursor))


def lock_shared(connection: Connection) -> None:
    """Take the erasure lock in shared mode, so that no suppression is added until the caller's transaction ends."""
    connection.execute("SELECT pg_advisory_xact_lock_shared(%s)", [advisory_locks.SUPPRESSIONS])


def lock_exclusive(connection: Connection) -> None:
    """Take the erasure lock in exclusive mode.

    Waits for running writers, and holds up others until the transaction ends.
    """
    connection.execute("SELECT pg_advisory_xact_lock(%s)", [advisory_locks.SUPPRESSIONS])


def record(connection: Connection, key: SuppressionKey, received_until_by_hash: Mapping[bytes, int]) -> None:
    """Add suppressions, or extend existing ones to a later time, and increment the version."""
    connection.execute(
        """
        INSERT INTO suppressions AS s (mac, received_until)
        SELECT r.mac, r.received_until
        FROM unnest(%(macs)s::bytea[], %(times)s::bigint[]) AS r (mac, received_until)
        ORDER BY r.mac
        ON CONFLICT (mac) DO UPDATE SET received_until = excluded.received_until
            WHERE s.received_until < excluded.received_until
        """,
        {"macs": list(received_until_by_hash), "times": list(received_until_by_hash.values())},
    )
    connection.execute("UPDATE suppression_version SET version = version + 1, key_check = %s", [key.fingerprint])


def enqueue_erasure(connection: Connection, session_id: str | None, addresses: Iterable[str], until: int) -> None:
    """Record an erasure of one person's addresses, which store/erasure/jobs.py executes."""
    connection.execute(
        "INSERT INTO erasures (session_id, addresses, received_until) VALUES (%s, %s, %s)",
        [session_id, sorted(addresses), until],
    )


def enqueue_erasure_once(connection: Connection, session_id: str | None, address: str, received_until: int) -> None:
    """Record an erasure of one address, unless one that covers it is waiting to start."""
    pending = connection.execute(
        """
        SELECT FROM erasures AS e
        WHERE e.session_id IS NOT DISTINCT FROM %s AND %s = ANY(e.addresses) AND e.received_until >= %s
            AND e.stage = 'addresses'
        """,
        [session_id, address, received_until],
    )
    if pending.fetchone() is None:
        enqueue_erasure(connection, session_id, [address], received_until)


def add_aliases(connection: Connection, suppression_set: SuppressionSet, aliases: Collection[Suppression]) -> None:
    """Suppress further addresses of erased people, and enqueue their erasure. Call this last in a transaction."""
    if aliases:
        for alias in aliases:
            enqueue_erasure(connection, alias.session_id, [alias.address], alias.received_until)
        key = suppression_set.key
        record(connection, key, {key.hash_address(s.session_id, s.address): s.received_until for s in aliases})
