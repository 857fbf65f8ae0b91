"""Executes recorded erasures step by step while other processes write. An interrupted erasure resumes where it stopped.

The stages are: find the person's addresses; erase messages and message updates with the raw events about them; erase
raw events that only mention the person; erase the remainder and renew PostgreSQL's statistics. Each step is one
transaction, which also records its progress.
"""

import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, cast

from store.erasure import erased_messages, linked_events, planner_statistics, remainder, subjects, suppressions
from store.erasure.key_store import KeyStoreUnwritableError, SuppressionKey, SuppressionKeyStore
from store.erasure.linked_events import ErasureStep
from store.erasure.subjects import ErasureSubject
from store.postgres import errors
from store.postgres.connections import Connection

log = logging.getLogger(__name__)

ErasureStage: TypeAlias = Literal["addresses", "messages", "updates", "events", "remainder"]

STEP_RETRY_SECONDS = 60.0
"""The time in seconds for which a step is retried if other writers hold its locks."""
_RETRY_PAUSE = 0.2
_REMAINDER_ERASED = 1
"""The position in the last stage after which positions are the oids of tables."""


@dataclass(frozen=True, slots=True)
class ErasureJob:
    erasure_id: int
    subject: ErasureSubject
    stage: ErasureStage
    last_id: int
    """The id up to which the stage is done."""
    erased_counts: Counter[str]
    """The numbers of rows erased so far."""


def has_pending(connection: Connection) -> bool:
    """Return whether any erasure is unfinished."""
    with errors.translated():
        return connection.execute("SELECT FROM erasures LIMIT 1").fetchone() is not None


def run_next_step(connection: Connection, key_store: SuppressionKeyStore) -> ErasureJob | None:
    """Run the next step of the oldest erasure that no other process works on. Return None if there is none.

    Returns the job with its new progress and the stage that was run. Raises SuppressionKeyError, and TransientError,
    after which the call may be repeated.
    """
    with errors.translated(), connection.transaction():
        job = _claim(connection)
        return None if job is None else _run_stage(connection, key_store, job)


def run_all(connection: Connection, key_store: SuppressionKeyStore, on_progress: Callable[[ErasureJob], None]) -> None:
    """Run steps until no erasure is pending, including those that other processes work on.

    Raises SuppressionKeyError at once, and TransientError if there is no progress for STEP_RETRY_SECONDS.
    """
    deadline, progress = time.monotonic() + STEP_RETRY_SECONDS, _pending_progress(connection)
    while progress:
        try:
            job = run_next_step(connection, key_store)
        except suppressions.SuppressionKeyError:
            raise
        except errors.TransientError:
            if connection.closed or time.monotonic() > deadline:
                raise
            job = None
        if job is None:
            # Another process works on the erasure, or holds a lock that the step needs.
            time.sleep(_RETRY_PAUSE)
            if time.monotonic() > deadline:
                raise errors.TransientError("Another process holds the pending erasures. Run the command again later.")
        else:
            on_progress(job)
        if (current := _pending_progress(connection)) != progress:
            deadline, progress = time.monotonic() + STEP_RETRY_SECONDS, current


def _pending_progress(connection: Connection) -> list[tuple[object, ...]]:
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
    erasure_id, session_id, addresses, received_until, stage, last_id, erased = cast(
        "tuple[int, str | None, list[str], int, ErasureStage, int, dict[str, int]]", row
    )
    subject = subjects.in_account(connection, session_id, addresses, received_until)
    return ErasureJob(erasure_id, subject, stage, last_id, Counter(erased))


def _run_stage(connection: Connection, key_store: SuppressionKeyStore, job: ErasureJob) -> ErasureJob:
    key = suppressions.require_key(connection, key_store.find_key)
    match job.stage:
        case "addresses":
            extended = replace(job, subject=_suppress_aliases(connection, key, key_store, job.subject))
            _save_progress(connection, extended, "messages", 0)
            return extended
        case "messages":
            step = erased_messages.erase(connection, key, job.subject, job.last_id)
            return _record_step(connection, job, step, "updates")
        case "updates":
            step = erased_messages.erase_updates(connection, job.subject, job.last_id)
            return _record_step(connection, job, step, "events")
        case "events":
            step = linked_events.erase_mentions(connection, job.subject, job.last_id)
            return _record_step(connection, job, step, "remainder")
        case "remainder" if job.last_id == 0:
            erased_counts = job.erased_counts + Counter(remainder.erase(connection, key, job.subject))
            erased = replace(job, erased_counts=erased_counts, last_id=_REMAINDER_ERASED)
            _save_progress(connection, erased, "remainder", erased.last_id)
            return erased
        case "remainder":
            return _renew_statistics(connection, job)


def _renew_statistics(connection: Connection, job: ErasureJob) -> ErasureJob:
    """Renew statistics in the last stage.

    It is not a stage of its own, because a worker of an earlier version may resume the job.
    """
    table = planner_statistics.renew_next(connection, job.subject, job.last_id)
    if table is None:
        connection.execute("DELETE FROM erasures WHERE erasure_id = %s", [job.erasure_id])
        return job
    _save_progress(connection, job, "remainder", table)
    return replace(job, last_id=table)


def _suppress_aliases(
    connection: Connection, key: SuppressionKey, key_store: SuppressionKeyStore, subject: ErasureSubject
) -> ErasureSubject:
    """Return the subject with all addresses that are known now, after suppressing each of them."""
    # After this lock, no writer with older suppressions is left, so what is erased from now on is not stored again.
    suppressions.lock_exclusive(connection)
    extended = subjects.with_aliases(connection, subject)
    received_until_by_hash = extended.suppressions(key)
    append_to_key_store(key_store, received_until_by_hash)
    suppressions.record(connection, key, received_until_by_hash)
    return extended


def append_to_key_store(key_store: SuppressionKeyStore, received_until_by_hash: Mapping[bytes, int]) -> None:
    """Append suppressions to the list beside the key, or log that this process cannot write it.

    They are also in the database; the next `forget` that can write the list adds them.
    """
    try:
        key_store.append_suppressions(received_until_by_hash)
    except KeyStoreUnwritableError as error:
        log.warning("%s The next `python -m store forget` adds these suppressions to the list.", error)


def _record_step(connection: Connection, job: ErasureJob, step: ErasureStep, next_stage: ErasureStage) -> ErasureJob:
    advanced = replace(job, erased_counts=job.erased_counts + Counter(step.erased_counts))
    if step.last_id is None:
        _save_progress(connection, advanced, next_stage, 0)
        return advanced
    _save_progress(connection, advanced, job.stage, step.last_id)
    return replace(advanced, last_id=step.last_id)


def _save_progress(connection: Connection, job: ErasureJob, stage: ErasureStage, last_id: int) -> None:
    addresses, erased = list(job.subject.addresses), json.dumps(job.erased_counts)
    connection.execute(
        """
        UPDATE erasures
        SET stage = %(stage)s, last_id = %(last_id)s, addresses = %(addresses)s, erased = %(erased)s::jsonb
        WHERE erasure_id = %(erasure_id)s
        """,
        {"stage": stage, "last_id": last_id, "addresses": addresses, "erased": erased, "erasure_id": job.erasure_id},
    )
