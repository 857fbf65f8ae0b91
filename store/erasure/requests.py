"""Records requests to erase a person, and repeats all erasures in a restored database.

A request adds suppressions (keyed hashes with a time) to the database and to a list beside the key. From then on, no
earlier event of the person is stored. store/erasure/jobs.py erases what is already stored. After a restore from an
older backup, `reapply` uses the list to find the people whose data the backup still contains.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from store.access import audit
from store.erasure import jobs, linked_events, mentions, subjects, suppressions
from store.erasure.jobs import ErasureJob
from store.erasure.key_store import SuppressionKeyStore
from store.erasure.subjects import IS_MESSAGE_OF_SUBJECT, ErasureSubject
from store.erasure.suppressions import SuppressionSet
from store.history.sessions import accounts
from store.history.sessions.accounts import Accounts
from store.postgres import connections, errors
from store.postgres.connections import Connection

_PAGE_SIZE = 2_000
AUDIT_CALLER = "python -m store forget"


class OwnNumberError(ValueError):
    """The address is the number of a session, which occurs in every message of that session."""


@dataclass(frozen=True, slots=True)
class ErasurePreview:
    """The numbers of rows that an erasure would delete, by kind."""

    subject: ErasureSubject
    counts: Mapping[str, int]


def preview(connection: Connection, address: str, session_id: str | None = None) -> ErasurePreview:
    """Count what would be erased without changing anything. Raises OwnNumberError."""
    with errors.translated(), connection.transaction():
        connection.execute("SET TRANSACTION READ ONLY")
        connection.execute("SET LOCAL statement_timeout = 0")
        subject = _resolve_subject(connection, address, session_id)
        chat_ids = subject.chat_ids(connection)
        row = connection.execute(
            f"""
            SELECT
                (SELECT count(*) FROM whatsapp_messages AS m WHERE {IS_MESSAGE_OF_SUBJECT}),
                (SELECT count(*) FROM message_updates AS u WHERE u.chat_id = ANY(%(chats)s)
                    OR u.sender = ANY(%(addresses)s)),
                (SELECT count(*) FROM sends AS s WHERE s.chat_id = ANY(%(chats)s)),
                (SELECT count(*) FROM lid_aliases AS a
                    WHERE (a.lid = ANY(%(addresses)s) OR a.phone = ANY(%(addresses)s))
                        AND (%(sessions)s::text[] IS NULL OR a.session_id = ANY(%(sessions)s))),
                (SELECT count(*) FROM chat_labels AS l WHERE l.chat_id = ANY(%(chats)s)),
                (SELECT count(*) FROM chat_notes AS n WHERE n.chat_id = ANY(%(chats)s))
            """,
            {**subject.sql_parameters, "chats": chat_ids},
        ).fetchone()
        assert row is not None, "a SELECT of counts has a row"
        kinds = ("messages", "updates", "sends", "lid_evidence", "labels", "notes")
        counts = dict(zip(kinds, cast("tuple[int, ...]", row), strict=True))
        raw_events, after = 0, 0
        while after is not None:
            step = linked_events.erase_mentions(connection, subject, after, dry_run=True)
            raw_events += step.erased_counts["raw_events"]
            after = step.last_id
    return ErasurePreview(subject, {**counts, "raw_events": raw_events, "chats": len(chat_ids)})


def record(
    connection: Connection, key_store: SuppressionKeyStore, address: str, session_id: str | None = None
) -> ErasureSubject:
    """Suppress the person's events received until now, and record the erasure for `jobs.run_all`.

    Raises OwnNumberError, SuppressionKeyError, KeyStoreUnwritableError and TransientError.
    """
    with errors.translated(), connection.transaction():
        suppressions.lock_exclusive(connection)
        is_first = suppressions.read_fingerprint(connection) is None
        find_key = key_store.find_or_create_key if is_first else key_store.find_key
        key = suppressions.require_key(connection, find_key)
        subject = _resolve_subject(connection, address, session_id)
        received_until_by_hash = subject.suppressions(key)
        # The list is written first, because `reapply` repeats an erasure that is only in the list.
        key_store.append_suppressions(suppressions.read_all(connection) | received_until_by_hash)
        suppressions.record(connection, key, received_until_by_hash)
        suppressions.enqueue_erasure(connection, session_id, subject.addresses, subject.received_until)
        audit.record(connection, AUDIT_CALLER, "FORGET", key.hash_address(session_id, address).hex()[:16], 200)
    return subject


def reapply(
    connection: Connection, environ: Mapping[str, str], on_progress: Callable[[ErasureJob], None] | None = None
) -> int:
    """Repeat, in a restored database, the erasures of all people in its suppressions or in the list beside the key.

    Returns the number of suppressions when everything is erased. May be called any number of times. Raises
    SuppressionKeyError and TransientError.
    """
    key_store = SuppressionKeyStore.from_environ(environ)
    with errors.translated(), connection.transaction():
        connection.execute("SET LOCAL statement_timeout = 0")
        suppressions.lock_exclusive(connection)
        received_until_by_hash = suppressions.read_all(connection)
        for mac, received_until in key_store.read_suppressions().items():
            received_until_by_hash[mac] = max(received_until, received_until_by_hash.get(mac, received_until))
        if not received_until_by_hash:
            return 0
        key = suppressions.require_key(connection, key_store.find_key)
        jobs.append_to_key_store(key_store, received_until_by_hash)
        suppressions.record(connection, key, received_until_by_hash)
        suppressed = SuppressionSet(key, -1, received_until_by_hash, max(received_until_by_hash.values()))
        known_accounts = accounts.lock(connection)
        found = _all_addresses(connection) | _suppressed_in_bodies(connection, suppressed, known_accounts)
        for session_id, address in found:
            for scope in suppressions.scopes_of(known_accounts, session_id):
                if (received_until := suppressed.received_until_in_scope(scope, address)) is not None:
                    suppressions.enqueue_erasure_once(connection, scope, address, received_until)
        audit.record(connection, AUDIT_CALLER, "REAPPLY", str(len(received_until_by_hash)), 200)
    jobs.run_all(connection, key_store, on_progress or (lambda _: None))
    return len(received_until_by_hash)


def _resolve_subject(connection: Connection, address: str, session_id: str | None) -> ErasureSubject:
    now = int(connections.server_time(connection).timestamp() * 1000)
    subject = subjects.with_aliases(connection, subjects.in_account(connection, session_id, [address], now))
    if owners := subjects.sessions_owning(connection, subject):
        raise OwnNumberError(
            f"This is the own number of session {owners[0]}, which all of its messages contain. Name another address."
        )
    return subject


def _all_addresses(connection: Connection) -> set[tuple[str | None, str]]:
    """Return all addresses in the database, each with its session."""
    cursor = connection.execute(
        """
        SELECT c.session_id, c.address FROM chats AS c
        UNION
        SELECT m.session_id, m.sender FROM whatsapp_messages AS m WHERE m.sender IS NOT NULL
        UNION
        SELECT s.session_id, u.sender
        FROM message_updates AS u
        JOIN message_keys AS k USING (key_id)
        JOIN sessions AS s USING (session_number)
        WHERE u.sender IS NOT NULL
        UNION
        SELECT a.session_id, a.lid FROM lid_aliases AS a
        UNION
        SELECT a.session_id, a.phone FROM lid_aliases AS a
        UNION
        SELECT s.session_id, s.address FROM sends AS s
        """
    )
    return set(cast("Iterable[tuple[str | None, str]]", cursor))


def _suppressed_in_bodies(
    connection: Connection, suppressed: SuppressionSet, known_accounts: Accounts
) -> set[tuple[str | None, str]]:
    """Return the suppressed addresses in raw events that are not about a message."""
    addresses: set[tuple[str | None, str]] = set()
    after = 0
    while True:
        page = connection.execute(
            """
            SELECT e.event_id, coalesce(p.session_id, n.session_id), e.body
            FROM raw_events AS e
            LEFT JOIN parked_events AS p ON p.digest = e.digest
            LEFT JOIN noise_events AS n ON n.digest = e.digest
            WHERE e.event_id > %(after)s AND e.key_id IS NULL AND e.received_at <= %(last)s
            ORDER BY e.event_id
            LIMIT %(limit)s
            """,
            {"after": after, "last": suppressed.latest_received_until, "limit": _PAGE_SIZE},
            binary=True,
        ).fetchall()
        if not page:
            return addresses
        for event_id, session_id, body in cast("Collection[tuple[int, str | None, bytes]]", page):
            addresses |= {
                (session_id, address)
                for address in mentions.addresses_in(body)
                if suppressed.latest_of(suppressions.scopes_of(known_accounts, session_id), [address]) is not None
            }
            after = event_id
