"""Runs the redrives that the API queued, a few events at a time, while the stream is empty."""

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
from store.replay.redrive_requests import RedriveRequest
from store.replay.replay import ReplayPlan
from worker import parsers
from worker.housekeeping.periodic import Periodic

log = logging.getLogger("worker.housekeeping.redrives")

STEP_EVENTS = 64
"""Events in one step: a drain waits for a step to end."""
SLICE_SECONDS = 2.0
"""Seconds that one run may take before the worker's other duties."""
STEP_DEADLINE_SECONDS = 20.0
"""Seconds that PostgreSQL has for a step."""
POLL_SECONDS = 1.0
"""Seconds between two looks for queued redrives, and before a retry."""


@dataclass(frozen=True, slots=True)
class _ActiveRedrive:
    connection: Connection
    request: RedriveRequest
    retry: ParkedRetry


class RedriveRunner:
    """Runs queued redrives; one worker at a time, and another resumes the redrive of a dead one."""

    def __init__(self, database_url: str, own_phone: str | None, suppressions: SuppressionCache | None = None) -> None:
        self._database_url = database_url
        self._own_phone = own_phone
        self._suppressions = suppressions or SuppressionCache()
        self._active: _ActiveRedrive | None = None
        self._interrupted_id: int | None = None
        self._periodic = Periodic(POLL_SECONDS, "redrive paused; retrying")

    def run(self, get_connection: Callable[[], Connection], may_continue: Callable[[], bool]) -> None:
        """Run steps of a queued redrive for a slice of time, asking `may_continue` after each.

        A transient error leaves the rest for the next run.
        """

        def run_steps() -> bool:
            try:
                if self._active is None:
                    self._active = self._start(get_connection())
                if self._active is None:
                    return False
                self._run_steps(self._active, may_continue)
            except progress.ReplayRunningError:
                return False
            except TransientError:
                self.release()
                raise
            return True

        self._periodic.run(run_steps)

    def release(self) -> None:
        """Leave the active redrive to the worker that looks next."""
        if self._active is not None:
            self._interrupted_id = self._active.request.redrive_id
            self._active.connection.close()
            self._active = None

    def _start(self, connection: Connection) -> _ActiveRedrive | None:
        with connections.deadline(connection, STEP_DEADLINE_SECONDS):
            if not redrive_requests.has_pending(connection):
                return None
        plan = ReplayPlan(parsers.current(self._suppressions), own_phone=self._own_phone, batch_size=STEP_EVENTS)
        # Does not wait for the replay lock: another worker may hold it, and new events come first.
        own_connection = replay.open_connection(self._database_url, wait_seconds=0)
        with contextlib.ExitStack() as on_failure:
            on_failure.callback(own_connection.close)
            with connections.deadline(own_connection, STEP_DEADLINE_SECONDS):
                request = redrive_requests.claim(own_connection, survived=self._interrupted_id)
                if request is None:
                    return None
                event_ids = redrive_requests.start(own_connection, request)
                active = _ActiveRedrive(own_connection, request, ParkedRetry(own_connection, plan, event_ids=event_ids))
            on_failure.pop_all()
        log.info("redrive %d of %d events, requested by %s", request.redrive_id, active.retry.total, request.caller)
        return active

    def _run_steps(self, active: _ActiveRedrive, may_continue: Callable[[], bool]) -> None:
        until = time.monotonic() + SLICE_SECONDS
        while True:
            failure: str | None = None
            with connections.deadline(active.connection, STEP_DEADLINE_SECONDS):
                try:
                    has_more = active.retry.step()
                except PermanentError as error:
                    has_more, failure = False, str(error)
                redrive_requests.save_progress(active.connection, active.request, done=not has_more, failure=failure)
            if not has_more:
                log.info("redrive %d is done", active.request.redrive_id)
                self.release()
                return
            if time.monotonic() >= until or not may_continue():
                return
