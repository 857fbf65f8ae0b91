"""Forgetting somebody: recorded at once, so that nothing more of them is kept, and then erased.

What is recorded are keyed hashes with a time, in the database and in a list beside the key: after a
restore from an older backup `reapply` finds by them whom that backup still knows.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from store.erasure import batch_filter, jobs, linked_events, subjects, suppressions
from store.erasure.jobs import ErasureJob
from store.erasure.key_store import SuppressionKey, SuppressionKeyStore
from store.erasure.subjects import ErasureSubject
from store.erasure.suppressions import SuppressionSet
from store.postgres import errors
from store.postgres.connections import Connection

_PAGE_SIZE = 2_000
AUDIT_CALLER = "python -m store forget"


class OwnNumberError(ValueError):
    """It is the number of a session, which nobody wrote from but we."""


@dataclass(frozen=True, slots=True)
class ErasurePreview:
    """What there is of somebody: how many of each."""

    subject: ErasureSubject
    counts: Mapping[str, int]


def preview(connection: Connection, address: str, session_id: str | None = None) -> ErasurePreview:
    """Count what would be erased, and change nothing. Raises OwnNumberError."""
    with errors.translated(), connection.transaction():
        connection.execute("SET TRANSACTION READ ONLY")
        connection.execute("SET LOCAL statement_timeout = 0")
        somebody = _resolve_subject(connection, address, session_id)
        counted = connection.execute(
            """
            SELECT
                (SELECT count(*) FROM whatsapp_messages AS m
                    WHERE m.receive_order <= %(upto)s * 65536 + 65535 AND (
                        m.chat_id = ANY(%(chats)s)
                        OR m.sender = ANY(%(addresses)s) AND (%(session)s::text IS NULL OR m.session_id = %(session)s)
                    )),
                (SELECT count(*) FROM message_updates AS k WHERE k.chat_id = ANY(%(chats)s)
                    OR k.sender = ANY(%(addresses)s)),
                (SELECT count(*) FROM sends AS s WHERE s.chat_id = ANY(%(chats)s)),
                (SELECT count(*) FROM lid_aliases AS a
                    WHERE (a.lid = ANY(%(addresses)s) OR a.phone = ANY(%(addresses)s))
                        AND (%(session)s::text IS NULL OR a.session_id = %(session)s))
            """,
            {**somebody.sql_parameters, "chats": (chat_ids := somebody.chat_ids(connection))},
        ).fetchone()
        messages, marks, sends, evidence = cast("tuple[int, int, int, int]", counted)
        named, after = 0, 0
        while True:
            step = linked_events.erase_mentions(connection, somebody, after, dry_run=True)
            named += step.erased_counts["bodies"]
            if step.last_id is None:
                break
            after = step.last_id
    return ErasurePreview(
        somebody,
        {
            "messages": messages,
            "updates": marks,
            "sends": sends,
            "evidence": evidence,
            "bodies": named,
            "chats": len(chat_ids),
        },
    )


def record(
    connection: Connection, key_store: SuppressionKeyStore, address: str, session_id: str | None = None
) -> ErasureSubject:
    """From here on nothing is kept that was received up to now; what is there is erased by `erasure.finish`.

    Raises OwnNumberError, MissingKeyError or UnwritableError, and TransientError.
    """
    with errors.translated(), connection.transaction():
        suppressions.lock_exclusive(connection)
        key = _require_key(connection, key_store, create=True)
        somebody = _resolve_subject(connection, address, session_id)
        macs = {key.hash_address(session_id, each): somebody.received_until for each in somebody.addresses}
        # First the list: of a forget that is only there, a restore reminds the database.
        key_store.append_suppressions(suppressions.read_all(connection) | macs)
        suppressions.record(connection, key, macs)
        suppressions.enqueue_erasure(connection, session_id, somebody.addresses, somebody.received_until)
        _write_audit(connection, "FORGET", key.hash_address(session_id, address).hex()[:16])
    return somebody


def reapply(
    connection: Connection, environ: Mapping[str, str], on_progress: Callable[[ErasureJob], None] | None = None
) -> int:
    """Forget again, in a database that was restored, everybody whom it or the list beside the key says is forgotten.

    Returns how many hashes that are; does it all before it returns, and may be called any number of times. Raises
    MissingKeyError and TransientError.
    """
    keeping = SuppressionKeyStore.from_environ(environ)
    with errors.translated(), connection.transaction():
        connection.execute("SET LOCAL statement_timeout = 0")
        suppressions.lock_exclusive(connection)
        macs = suppressions.read_all(connection)
        for mac, upto in keeping.read_suppressions().items():
            macs[mac] = max(upto, macs.get(mac, upto))
        if not macs:
            return 0
        key = _require_key(connection, keeping, create=False)
        jobs.append_to_key_store(keeping, macs)
        suppressions.record(connection, key, macs)
        known = SuppressionSet(key, -1, macs, max(macs.values()))
        for session_id, address in _all_addresses(connection) | _suppressed_in_bodies(connection, known):
            for scope in {None, session_id}:
                if (upto := known.received_until_in_scope(scope, address)) is not None:
                    _enqueue_again(connection, scope, address, upto)
        _write_audit(connection, "REAPPLY", str(len(macs)))
    jobs.run_all(connection, keeping, on_progress or (lambda _: None))
    return len(macs)


def _require_key(connection: Connection, key_store: SuppressionKeyStore, *, create: bool) -> SuppressionKey:
    """The key that is to be used; a new one only where nobody was ever forgotten."""
    row = connection.execute("SELECT v.key_check FROM suppression_version AS v").fetchone()
    check = None if row is None else cast("bytes | None", row[0])
    key = key_store.find_or_create_key() if create and check is None else key_store.find_key()
    suppressions.verify_key(key, check)
    assert key is not None, "verified"
    return key


def _resolve_subject(connection: Connection, address: str, session_id: str | None) -> ErasureSubject:
    addresses = subjects.find_aliases(connection, session_id, [address])
    if own := subjects.sessions_owning(connection, session_id, addresses):
        raise OwnNumberError(f"That is the number of session {own[0]} itself, of which every message tells.")
    row = connection.execute("SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint").fetchone()
    assert row is not None, "a clock has a time"
    return ErasureSubject(session_id, addresses, cast("int", row[0]))


def _all_addresses(connection: Connection) -> set[tuple[str | None, str]]:
    """All addresses that the database knows, each with its session."""
    found = connection.execute(
        """
        SELECT c.session_id, c.address FROM chats AS c
        UNION
        SELECT m.session_id, m.sender FROM whatsapp_messages AS m WHERE m.sender IS NOT NULL
        UNION
        SELECT s.session_id, k.sender
        FROM message_updates AS k
        JOIN message_keys AS n USING (key_id)
        JOIN sessions AS s USING (session_number)
        WHERE k.sender IS NOT NULL
        UNION
        SELECT a.session_id, a.lid FROM lid_aliases AS a
        UNION
        SELECT a.session_id, a.phone FROM lid_aliases AS a
        UNION
        SELECT s.session_id, s.address FROM sends AS s
        """
    )
    return set(cast("Iterable[tuple[str | None, str]]", found))


def _suppressed_in_bodies(connection: Connection, suppressions: SuppressionSet) -> set[tuple[str | None, str]]:
    """Who is forgotten and stands in bodies from which nobody could read a message."""
    found: set[tuple[str | None, str]] = set()
    after = 0
    while True:
        page = connection.execute(
            """
            SELECT e.event_id, p.session_id, e.body
            FROM raw_events AS e
            LEFT JOIN parked_events AS p ON p.digest = e.digest
            WHERE e.event_id > %(after)s AND e.key_id IS NULL AND e.received_at <= %(last)s
            ORDER BY e.event_id
            LIMIT %(limit)s
            """,
            {"after": after, "last": suppressions.latest_received_until, "limit": _PAGE_SIZE},
            binary=True,
        ).fetchall()
        if not page:
            return found
        for event_id, session_id, body in cast("Collection[tuple[int, str | None, bytes]]", page):
            found |= {
                (session_id, one)
                for one in batch_filter.addresses_in_body(body)
                if suppressions.received_until(session_id, one) is not None
            }
            after = event_id


def _enqueue_again(connection: Connection, session_id: str | None, address: str, received_until: int) -> None:
    """Erase once more, unless that is to be done already."""
    there = connection.execute(
        """
        SELECT FROM erasures AS e
        WHERE e.session_id IS NOT DISTINCT FROM %s AND %s = ANY(e.addresses) AND e.received_until >= %s
            AND e.stage = 'addresses'
        """,
        [session_id, address, received_until],
    )
    if there.fetchone() is None:
        suppressions.enqueue_erasure(connection, session_id, [address], received_until)


def _write_audit(connection: Connection, method: str, path: str) -> None:
    connection.execute(
        "INSERT INTO audit_log (caller, method, path, status) VALUES (%s, %s, %s, 200)", [AUDIT_CALLER, method, path]
    )
