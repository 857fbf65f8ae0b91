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
from store.erasure.key_store import KeyStoreUnwritableError, SuppressionKey, SuppressionKeyStore
from store.erasure.linked_events import ErasureStep
from store.erasure.subjects import ErasureSubject
from store.postgres import errors
from store.postgres.connections import Connection

log = logging.getLogger(__name__)

ErasureStage: TypeAlias = Literal["addresses", "messages", "updates", "events", "remainder"]

STEP_RETRY_SECONDS = 60.0
"""Seconds for which one step is tried again: what is in its way are other writers, for moments."""
_RETRY_PAUSE = 0.2


@dataclass(frozen=True, slots=True)
class ErasureJob:
    erasure_id: int
    subject: ErasureSubject
    stage: ErasureStage
    last_id: int
    erased_counts: Counter[str]
    """How much, so far."""


def has_pending(connection: Connection) -> bool:
    """Whether anything is to be erased."""
    with errors.translated():
        return connection.execute("SELECT FROM erasures LIMIT 1").fetchone() is not None


def run_next_step(connection: Connection, key_store: SuppressionKeyStore) -> ErasureJob | None:
    """Do the next bit of the oldest that nobody else is at; None if there is none.

    Returns it as it is then, in the stage that it was in. Raises TransientError, after which the same
    call may succeed, and MissingKeyError.
    """
    with errors.translated(), connection.transaction():
        erasure = _claim(connection)
        if erasure is None:
            return None
        key = key_store.find_key()
        suppressions.verify_key(key, _read_key_fingerprint(connection))
        assert key is not None, "verified"
        return _run_stage(connection, key, key_store, erasure)


def run_all(connection: Connection, key_store: SuppressionKeyStore, on_progress: Callable[[ErasureJob], None]) -> None:
    """Erase until nothing is left, also what others began; raises what `step` raises, if that goes on."""
    deadline, reached = time.monotonic() + STEP_RETRY_SECONDS, _pending_progress(connection)
    while reached:
        try:
            worked = run_next_step(connection, key_store)
        except suppressions.SuppressionKeyError:
            raise
        except errors.TransientError:
            if connection.closed or time.monotonic() > deadline:
                raise
            worked = None
        if worked is None:
            # Somebody else is at it, or in the way.
            time.sleep(_RETRY_PAUSE)
            if time.monotonic() > deadline:
                raise errors.TransientError("What is to be erased is held by somebody else.")
        else:
            on_progress(worked)
        if (now := _pending_progress(connection)) != reached:
            deadline, reached = time.monotonic() + STEP_RETRY_SECONDS, now


def _pending_progress(connection: Connection) -> list[tuple[object, ...]]:
    """How far everything is; empty if nothing is left."""
    with errors.translated():
        return connection.execute("SELECT e.erasure_id, e.stage, e.last_id FROM erasures AS e").fetchall()


def _claim(connection: Connection) -> ErasureJob | None:
    row = connection.execute(
        """
        SELECT e.erasure_id, e.session_id, e.addresses, e.received_until, e.stage, e.last_id, e.erased
        FROM erasures AS e
        ORDER BY e.erasure_id
        LIMIT 1
        FOR UPDATE SKIP LOCKED
        """
    ).fetchone()
    if row is None:
        return None
    erasure_id, session_id, addresses, upto, stage, done, erased = cast(
        "tuple[int, str | None, list[str], int, ErasureStage, int, dict[str, int]]", row
    )
    return ErasureJob(erasure_id, ErasureSubject(session_id, tuple(addresses), upto), stage, done, Counter(erased))


def _read_key_fingerprint(connection: Connection) -> bytes | None:
    row = connection.execute("SELECT v.key_check FROM suppression_version AS v").fetchone()
    return None if row is None else cast("bytes | None", row[0])


def _run_stage(
    connection: Connection, key: SuppressionKey, key_store: SuppressionKeyStore, job: ErasureJob
) -> ErasureJob:
    somebody = job.subject
    match job.stage:
        case "addresses":
            worked = replace(job, subject=_suppress_aliases(connection, key, key_store, somebody))
            return _start_stage(connection, worked, "messages")
        case "messages":
            return _record_step(
                connection, job, erased_messages.erase(connection, key, somebody, job.last_id), "updates"
            )
        case "updates":
            return _record_step(
                connection, job, erased_messages.erase_updates(connection, somebody, job.last_id), "events"
            )
        case "events":
            return _record_step(
                connection, job, linked_events.erase_mentions(connection, somebody, job.last_id), "remainder"
            )
        case "remainder":
            worked = replace(job, erased_counts=job.erased_counts + Counter(remainder.erase(connection, key, somebody)))
            connection.execute("DELETE FROM erasures WHERE erasure_id = %s", [job.erasure_id])
            return worked


def _suppress_aliases(
    connection: Connection, key: SuppressionKey, key_store: SuppressionKeyStore, subject: ErasureSubject
) -> ErasureSubject:
    """The person with all addresses that are known by now to be theirs, each of which is forgotten as well."""
    # After this nobody writes any more who does not know: what is erased from now on does not come back.
    suppressions.lock_exclusive(connection)
    addresses = subjects.find_aliases(connection, subject.session_id, subject.addresses)
    macs = {key.hash_address(subject.session_id, address): subject.received_until for address in addresses}
    append_to_key_store(key_store, macs)
    suppressions.record(connection, key, macs)
    return replace(subject, addresses=addresses)


def append_to_key_store(key_store: SuppressionKeyStore, received_until_by_hash: Mapping[bytes, int]) -> None:
    """Add to the list beside the key, if that can be written here; the database has it, for the next who can."""
    try:
        key_store.append_suppressions(received_until_by_hash)
    except KeyStoreUnwritableError as error:
        log.warning("%s What is forgotten is noted there by the next forget.", error)


def _record_step(connection: Connection, job: ErasureJob, step: ErasureStep, next_stage: ErasureStage) -> ErasureJob:
    erased = job.erased_counts + Counter(step.erased_counts)
    if step.last_id is None:
        return _start_stage(connection, replace(job, erased_counts=erased), next_stage)
    reached = replace(job, erased_counts=erased, last_id=step.last_id)
    _save_progress(connection, reached, reached.stage, step.last_id)
    return reached


def _start_stage(connection: Connection, job: ErasureJob, stage: ErasureStage) -> ErasureJob:
    _save_progress(connection, job, stage, 0)
    return job


def _save_progress(connection: Connection, job: ErasureJob, stage: ErasureStage, last_id: int) -> None:
    connection.execute(
        """
        UPDATE erasures
        SET stage = %(stage)s, last_id = %(done)s, addresses = %(addresses)s, erased = %(erased)s::jsonb
        WHERE erasure_id = %(erasure_id)s
        """,
        {
            "stage": stage,
            "done": last_id,
            "addresses": list(job.subject.addresses),
            "erased": json.dumps(job.erased_counts),
            "erasure_id": job.erasure_id,
        },
    )
