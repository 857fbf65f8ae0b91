"""Forgetting somebody: recorded at once, so that nothing more of them is kept, and then erased.

What is recorded are keyed hashes with a time, in the database and in a list beside the key: after a
restore from an older backup `reapply` finds by them whom that backup still knows.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from store.erasure import batch_filter, jobs, linked_events, subjects, suppressions
from store.erasure.jobs import Erasure
from store.erasure.key_store import Keeping, Key
from store.erasure.subjects import Person
from store.erasure.suppressions import Known
from store.postgres import errors
from store.postgres.connections import Connection

_PAGE = 2_000
CALLER = "python -m store forget"


class OwnNumberError(ValueError):
    """It is the number of a session, which nobody wrote from but we."""


@dataclass(frozen=True, slots=True)
class Found:
    """What there is of somebody: how many of each."""

    person: Person
    counts: Mapping[str, int]


def find(connection: Connection, address: str, session_id: str | None = None) -> Found:
    """Count what would be erased, and change nothing. Raises OwnNumberError."""
    with errors.translated(), connection.transaction():
        connection.execute("SET TRANSACTION READ ONLY")
        connection.execute("SET LOCAL statement_timeout = 0")
        somebody = _somebody(connection, address, session_id)
        counted = connection.execute(
            """
            SELECT
                (SELECT count(*) FROM whatsapp_messages AS m
                    WHERE m.arrived <= %(upto)s * 65536 + 65535 AND (
                        m.chat_id = ANY(%(chats)s)
                        OR m.sender = ANY(%(addresses)s) AND (%(session)s::text IS NULL OR m.session_id = %(session)s)
                    )),
                (SELECT count(*) FROM marks AS k WHERE k.chat_id = ANY(%(chats)s) OR k.sender = ANY(%(addresses)s)),
                (SELECT count(*) FROM sends AS s WHERE s.chat_id = ANY(%(chats)s)),
                (SELECT count(*) FROM aliases AS a
                    WHERE (a.lid = ANY(%(addresses)s) OR a.phone = ANY(%(addresses)s))
                        AND (%(session)s::text IS NULL OR a.session_id = %(session)s))
            """,
            {**somebody.values, "chats": (chat_ids := somebody.chat_ids(connection))},
        ).fetchone()
        messages, marks, sends, evidence = cast("tuple[int, int, int, int]", counted)
        named, after = 0, 0
        while True:
            step = linked_events.mentions(connection, somebody, after, dry=True)
            named += step.erased["bodies"]
            if step.done is None:
                break
            after = step.done
    return Found(
        somebody,
        {
            "messages": messages,
            "marks": marks,
            "sends": sends,
            "evidence": evidence,
            "bodies": named,
            "chats": len(chat_ids),
        },
    )


def record(connection: Connection, keeping: Keeping, address: str, session_id: str | None = None) -> Person:
    """From here on nothing is kept that was received up to now; what is there is erased by `erasure.finish`.

    Raises OwnNumberError, MissingKeyError or UnwritableError, and TransientError.
    """
    with errors.translated(), connection.transaction():
        suppressions.alone(connection)
        key = _key(connection, keeping, make=True)
        somebody = _somebody(connection, address, session_id)
        macs = {key.of_address(session_id, each): somebody.upto for each in somebody.addresses}
        # First the list: of a forget that is only there, a restore reminds the database.
        keeping.note(suppressions.every(connection) | macs)
        suppressions.record(connection, key, macs)
        suppressions.erase_later(connection, session_id, somebody.addresses, somebody.upto)
        _audit(connection, "FORGET", key.of_address(session_id, address).hex()[:16])
    return somebody


def reapply(connection: Connection, environ: Mapping[str, str], tell: Callable[[Erasure], None] | None = None) -> int:
    """Forget again, in a database that was restored, everybody whom it or the list beside the key says is forgotten.

    Returns how many hashes that are; does it all before it returns, and may be called any number of times. Raises
    MissingKeyError and TransientError.
    """
    keeping = Keeping.from_environ(environ)
    with errors.translated(), connection.transaction():
        connection.execute("SET LOCAL statement_timeout = 0")
        suppressions.alone(connection)
        macs = suppressions.every(connection)
        for mac, upto in keeping.noted().items():
            macs[mac] = max(upto, macs.get(mac, upto))
        if not macs:
            return 0
        key = _key(connection, keeping, make=False)
        jobs.note(keeping, macs)
        suppressions.record(connection, key, macs)
        known = Known(key, -1, macs, max(macs.values()))
        for session_id, address in _everybody(connection) | _in_bodies(connection, known):
            for scope in {None, session_id}:
                if (upto := known.of(scope, address)) is not None:
                    _again(connection, scope, address, upto)
        _audit(connection, "REAPPLY", str(len(macs)))
    jobs.finish(connection, keeping, tell or (lambda _: None))
    return len(macs)


def _key(connection: Connection, keeping: Keeping, *, make: bool) -> Key:
    """The key that is to be used; a new one only where nobody was ever forgotten."""
    row = connection.execute("SELECT v.key_check FROM forget_version AS v").fetchone()
    check = None if row is None else cast("bytes | None", row[0])
    key = keeping.make() if make and check is None else keeping.find()
    suppressions.verify(key, check)
    assert key is not None, "verified"
    return key


def _somebody(connection: Connection, address: str, session_id: str | None) -> Person:
    addresses = subjects.addresses_of(connection, session_id, [address])
    if own := subjects.own(connection, session_id, addresses):
        raise OwnNumberError(f"That is the number of session {own[0]} itself, of which every message tells.")
    row = connection.execute("SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint").fetchone()
    assert row is not None, "a clock has a time"
    return Person(session_id, addresses, cast("int", row[0]))


def _everybody(connection: Connection) -> set[tuple[str | None, str]]:
    """All addresses that the database knows, each with its session."""
    found = connection.execute(
        """
        SELECT c.session_id, c.address FROM chats AS c
        UNION
        SELECT m.session_id, m.sender FROM whatsapp_messages AS m WHERE m.sender IS NOT NULL
        UNION
        SELECT s.session_id, k.sender
        FROM marks AS k
        JOIN keys AS n USING (key_id)
        JOIN sessions AS s USING (session)
        WHERE k.sender IS NOT NULL
        UNION
        SELECT a.session_id, a.lid FROM aliases AS a
        UNION
        SELECT a.session_id, a.phone FROM aliases AS a
        UNION
        SELECT s.session_id, s.address FROM sends AS s
        """
    )
    return set(cast("Iterable[tuple[str | None, str]]", found))


def _in_bodies(connection: Connection, known: Known) -> set[tuple[str | None, str]]:
    """Who is forgotten and stands in bodies from which nobody could read a message."""
    found: set[tuple[str | None, str]] = set()
    after = 0
    while True:
        page = connection.execute(
            """
            SELECT e.event_id, p.session_id, e.body
            FROM events AS e
            LEFT JOIN parked AS p ON p.digest = e.digest
            WHERE e.event_id > %(after)s AND e.key_id IS NULL AND e.received_at <= %(last)s
            ORDER BY e.event_id
            LIMIT %(limit)s
            """,
            {"after": after, "last": known.last, "limit": _PAGE},
            binary=True,
        ).fetchall()
        if not page:
            return found
        for event_id, session_id, body in cast("Collection[tuple[int, str | None, bytes]]", page):
            found |= {
                (session_id, one) for one in batch_filter.named(body) if known.within(session_id, one) is not None
            }
            after = event_id


def _again(connection: Connection, session_id: str | None, address: str, upto: int) -> None:
    """Erase once more, unless that is to be done already."""
    there = connection.execute(
        """
        SELECT FROM erasures AS e
        WHERE e.session_id IS NOT DISTINCT FROM %s AND %s = ANY(e.addresses) AND e.upto >= %s AND e.stage = 'addresses'
        """,
        [session_id, address, upto],
    )
    if there.fetchone() is None:
        suppressions.erase_later(connection, session_id, [address], upto)


def _audit(connection: Connection, method: str, what: str) -> None:
    connection.execute(
        "INSERT INTO audit (caller, method, path, status) VALUES (%s, %s, %s, 200)", [CALLER, method, what]
    )
