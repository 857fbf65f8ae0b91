"""What is to be erased, a step at a time, beside everybody else; killed, it goes on where it was.

First who the person is, then messages and what was said about them with the bodies that told of it, then bodies that
only mention the person, and last what is left. Every step is a transaction that notes how far it got.
"""

import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, cast

from store.erasure import erased_messages, linked_events, remainder, subjects, suppressions
from store.erasure.key_store import Keeping, Key, UnwritableError
from store.erasure.linked_events import Step
from store.erasure.subjects import Person
from store.postgres import errors
from store.postgres.connections import Connection

log = logging.getLogger(__name__)

Stage: TypeAlias = Literal["addresses", "messages", "marks", "events", "rest"]

PATIENCE = 60.0
"""Seconds for which one step is tried again: what is in its way are other writers, for moments."""
_PAUSE = 0.2


@dataclass(frozen=True, slots=True)
class Erasure:
    erasure_id: int
    person: Person
    stage: Stage
    done: int
    erased: Counter[str]
    """How much, so far."""


def wanted(connection: Connection) -> bool:
    """Whether anything is to be erased."""
    with errors.translated():
        return connection.execute("SELECT FROM erasures LIMIT 1").fetchone() is not None


def step(connection: Connection, keeping: Keeping) -> Erasure | None:
    """Do the next bit of the oldest that nobody else is at; None if there is none.

    Returns it as it is then, in the stage that it was in. Raises TransientError, after which the same
    call may succeed, and MissingKeyError.
    """
    with errors.translated(), connection.transaction():
        erasure = _take(connection)
        if erasure is None:
            return None
        key = keeping.find()
        suppressions.verify(key, _check(connection))
        assert key is not None, "verified"
        return _work(connection, key, keeping, erasure)


def finish(connection: Connection, keeping: Keeping, tell: Callable[[Erasure], None]) -> None:
    """Erase until nothing is left, also what others began; raises what `step` raises, if that goes on."""
    deadline, reached = time.monotonic() + PATIENCE, _reached(connection)
    while reached:
        try:
            worked = step(connection, keeping)
        except suppressions.MissingKeyError:
            raise
        except errors.TransientError:
            if connection.closed or time.monotonic() > deadline:
                raise
            worked = None
        if worked is None:
            # Somebody else is at it, or in the way.
            time.sleep(_PAUSE)
            if time.monotonic() > deadline:
                raise errors.TransientError("What is to be erased is held by somebody else.")
        else:
            tell(worked)
        if (now := _reached(connection)) != reached:
            deadline, reached = time.monotonic() + PATIENCE, now


def _reached(connection: Connection) -> list[tuple[object, ...]]:
    """How far everything is; empty if nothing is left."""
    with errors.translated():
        return connection.execute("SELECT e.erasure_id, e.stage, e.done FROM erasures AS e").fetchall()


def _take(connection: Connection) -> Erasure | None:
    row = connection.execute(
        """
        SELECT e.erasure_id, e.session_id, e.addresses, e.upto, e.stage, e.done, e.erased
        FROM erasures AS e
        ORDER BY e.erasure_id
        LIMIT 1
        FOR UPDATE SKIP LOCKED
        """
    ).fetchone()
    if row is None:
        return None
    erasure_id, session_id, addresses, upto, stage, done, erased = cast(
        "tuple[int, str | None, list[str], int, Stage, int, dict[str, int]]", row
    )
    return Erasure(erasure_id, Person(session_id, tuple(addresses), upto), stage, done, Counter(erased))


def _check(connection: Connection) -> bytes | None:
    row = connection.execute("SELECT v.key_check FROM forget_version AS v").fetchone()
    return None if row is None else cast("bytes | None", row[0])


def _work(connection: Connection, key: Key, keeping: Keeping, erasure: Erasure) -> Erasure:
    somebody = erasure.person
    match erasure.stage:
        case "addresses":
            worked = replace(erasure, person=_everything_of(connection, key, keeping, somebody))
            return _enter(connection, worked, "messages")
        case "messages":
            return _note(
                connection, erasure, erased_messages.messages(connection, key, somebody, erasure.done), "marks"
            )
        case "marks":
            return _note(connection, erasure, erased_messages.said(connection, somebody, erasure.done), "events")
        case "events":
            return _note(connection, erasure, linked_events.mentions(connection, somebody, erasure.done), "rest")
        case "rest":
            worked = replace(erasure, erased=erasure.erased + Counter(remainder.clear(connection, key, somebody)))
            connection.execute("DELETE FROM erasures WHERE erasure_id = %s", [erasure.erasure_id])
            return worked


def _everything_of(connection: Connection, key: Key, keeping: Keeping, somebody: Person) -> Person:
    """The person with all addresses that are known by now to be theirs, each of which is forgotten as well."""
    # After this nobody writes any more who does not know: what is erased from now on does not come back.
    suppressions.alone(connection)
    addresses = subjects.addresses_of(connection, somebody.session_id, somebody.addresses)
    macs = {key.of_address(somebody.session_id, address): somebody.upto for address in addresses}
    note(keeping, macs)
    suppressions.record(connection, key, macs)
    return replace(somebody, addresses=addresses)


def note(keeping: Keeping, macs: Mapping[bytes, int]) -> None:
    """Add to the list beside the key, if that can be written here; the database has it, for the next who can."""
    try:
        keeping.note(macs)
    except UnwritableError as error:
        log.warning("%s What is forgotten is noted there by the next forget.", error)


def _note(connection: Connection, erasure: Erasure, worked: Step, following: Stage) -> Erasure:
    erased = erasure.erased + Counter(worked.erased)
    if worked.done is None:
        return _enter(connection, replace(erasure, erased=erased), following)
    reached = replace(erasure, erased=erased, done=worked.done)
    _keep(connection, reached, reached.stage, worked.done)
    return reached


def _enter(connection: Connection, erasure: Erasure, stage: Stage) -> Erasure:
    _keep(connection, erasure, stage, 0)
    return erasure


def _keep(connection: Connection, erasure: Erasure, stage: Stage, done: int) -> None:
    connection.execute(
        """
        UPDATE erasures
        SET stage = %(stage)s, done = %(done)s, addresses = %(addresses)s, erased = %(erased)s::jsonb
        WHERE erasure_id = %(erasure_id)s
        """,
        {
            "stage": stage,
            "done": done,
            "addresses": list(erasure.person.addresses),
            "erased": json.dumps(erasure.erased),
            "erasure_id": erasure.erasure_id,
        },
    )
