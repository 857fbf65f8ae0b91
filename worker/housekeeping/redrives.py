"""Does the redrives that somebody asked the API for, a few events at a time, while nothing waits to be drained."""

import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from store.erasure.suppressions import SuppressionCache
from store.postgres import connections
from store.postgres.connections import Connection
from store.postgres.errors import PermanentError, TransientError
from store.replay import progress, redrive_requests, replay
from store.replay.parked_retry import ParkedRetry
from store.replay.redrive_requests import RedriveRequest as Asked
from store.replay.replay import ReplayPlan
from worker.commands.replay import current

log = logging.getLogger("worker.housekeeping.redrives")

STEP_EVENTS = 64
"""Events in one step: what waits to be drained waits for a step."""
SLICE_SECONDS = 2.0
"""Seconds that may be spent before the worker looks after other things."""
STEP_DEADLINE_SECONDS = 20.0
"""Seconds that PostgreSQL has for a step."""
POLL_SECONDS = 1.0
"""Seconds between two looks for what somebody asked for, and before another try."""


@dataclass(frozen=True, slots=True)
class _ActiveRedrive:
    connection: Connection
    request: Asked
    redrive: ParkedRetry


class RedriveRunner:
    """One worker's part; of several one does it at a time, and whatever dies with one is taken up by another."""

    def __init__(self, database_url: str, own_phone: str | None, suppressions: SuppressionCache | None = None) -> None:
        self._database_url = database_url
        self._own_phone = own_phone
        self._suppressions = suppressions or SuppressionCache()
        self._active: _ActiveRedrive | None = None
        self._interrupted_id: int | None = None
        self._next_poll_at = 0.0

    def run(self, get_connection: Callable[[], Connection], may_continue: Callable[[], bool]) -> None:
        """Do some of what was asked for, if anything was; asks `may_go_on` after every step.

        Never raises for PostgreSQL: what was asked for stays written down.
        """
        try:
            if self._active is None and not self._start(get_connection):
                return
            self._run_steps(may_continue)
        except progress.ReplayRunningError:
            self._next_poll_at = time.monotonic() + POLL_SECONDS
        except TransientError as error:
            log.warning("%s: the redrive is taken up again", error)
            self.release()
            self._next_poll_at = time.monotonic() + POLL_SECONDS

    def release(self) -> None:
        """Leave what is in hand to whoever looks next."""
        if self._active is not None:
            self._interrupted_id = self._active.request.redrive_id
            self._active.connection.close()
            self._active = None

    def _start(self, get_connection: Callable[[], Connection]) -> bool:
        if time.monotonic() < self._next_poll_at:
            return False
        self._next_poll_at = time.monotonic() + POLL_SECONDS
        ours = get_connection()
        with connections.deadline(ours, STEP_DEADLINE_SECONDS):
            if not redrive_requests.has_pending(ours):
                return False
        plan = ReplayPlan(current(self._suppressions), own_phone=self._own_phone, batch_size=STEP_EVENTS)
        # Without waiting: another worker may be at it, and what comes meanwhile wants to be drained.
        alone = replay.open_connection(self._database_url, plan, wait_seconds=0)
        with contextlib.ExitStack() as otherwise:
            otherwise.callback(alone.close)
            with connections.deadline(alone, STEP_DEADLINE_SECONDS):
                asked = redrive_requests.claim(alone, survived=self._interrupted_id)
                if asked is None:
                    return False
                self._active = _ActiveRedrive(
                    alone, asked, ParkedRetry(alone, plan, event_ids=redrive_requests.start(alone, asked))
                )
            otherwise.pop_all()
        log.info("redrive %d of %d events, asked for by %s", asked.redrive_id, self._active.redrive.total, asked.caller)
        return True

    def _run_steps(self, may_continue: Callable[[], bool]) -> None:
        assert self._active is not None
        job, until = self._active, time.monotonic() + SLICE_SECONDS
        while True:
            failure: str | None = None
            with connections.deadline(job.connection, STEP_DEADLINE_SECONDS):
                try:
                    more = job.redrive.step()
                except PermanentError as error:
                    more, failure = False, str(error)
                redrive_requests.save_progress(job.connection, job.request, done=not more, failure=failure)
            if not more:
                log.info("redrive %d is done", job.request.redrive_id)
                self.release()
                return
            if time.monotonic() >= until or not may_continue():
                return
