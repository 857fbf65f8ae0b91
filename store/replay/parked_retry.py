"""Retries parked events with the current parser: a given list of them, or those of the queued redrive requests.

Events that the parser understands by now are stored and leave the list.
"""

import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from store.erasure import suppressions
from store.postgres import connections, errors
from store.postgres.connections import Connection
from store.postgres.errors import PermanentError, TransientError
from store.replay import latest_facts, progress, redrive_requests, replay, sources
from store.replay.redrive_requests import RedriveRequest
from store.replay.refolding import Refolder
from store.replay.replay import ReplayPlan
from store.replay.report import ReplayReport, not_yet_counted
from store.replay.sources import EventParser

log = logging.getLogger(__name__)

STEP_EVENTS = 64
"""Events in one step of a redrive: a drain waits for a step to end."""
SLICE_SECONDS = 2.0
"""Seconds that a worker spends on a redrive before its other duties."""
STEP_DEADLINE_SECONDS = 20.0
"""Seconds that PostgreSQL has for a step of a redrive."""


class ParkedRetry:
    """One retry of the given parked events; call `step` until it returns False."""

    def __init__(self, connection: Connection, plan: ReplayPlan, event_ids: Sequence[int]) -> None:
        """`event_ids` are sorted, as `redrive_requests.select_event_ids` returns them."""
        self.connection = connection
        self.report = ReplayReport()
        self.total = len(event_ids)
        self._plan = plan
        self._refolder = Refolder(plan.parser, plan.own_phone, set())
        self._remaining = list(event_ids)

    def reconnect(self, connection: Connection) -> None:
        """Continue on another connection of `replay.open_connection`, because the last one broke."""
        self.connection = connection

    @property
    def progress_text(self) -> str:
        """Progress for the log."""
        return f"{self.total - len(self._remaining):,} of {self.total:,} parked events"

    def step(self) -> bool:
        """Retry the next page of events; returns whether more remain. Raises TransientError: repeat the step."""
        with errors.translated():
            page = sources.first_within_limit(self.connection, self._remaining[: self._plan.batch_size])
            if not page:
                # Their bodies were pruned since the selection.
                del self._remaining[: self._plan.batch_size]
                return bool(self._remaining)
            try:
                with errors.translated():
                    self._retry(page)
            except PermanentError:
                if not self._refolder.find_rejected(self.connection, page):
                    raise
                return True
        self._remaining = [event_id for event_id in self._remaining if event_id > page[-1]]
        self.report.event_count += len(page)
        return bool(self._remaining)

    def _retry(self, event_ids: Sequence[int]) -> None:
        connection = self.connection
        with connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            found = self._refolder.compare(connection, event_ids, None)
        differences = found.describe()
        if found.differs and not self._plan.dry_run:
            understood = [source for source in found.reclassified if source.outcome.kind != "parked"]
            # Names, LIDs and sessions first, in their own transaction: an interruption repeats them without effect.
            with connection.transaction():
                latest_facts.apply_missing(connection, understood)
            with connection.transaction():
                suppressions.lock_shared(connection)
                differences = self._refolder.repair(connection, found, "retry of parked events")
        with connection.transaction():
            self.report.add(not_yet_counted(connection, differences))


@dataclass(frozen=True, slots=True)
class _ActiveRedrive:
    request: RedriveRequest
    retry: ParkedRetry


class RedriveRunner:
    """Runs queued redrives; one worker at a time, and another resumes the redrive of a dead one."""

    def __init__(self, database_url: str, get_parser: Callable[[], EventParser], own_phone: str | None) -> None:
        self._database_url = database_url
        self._get_parser = get_parser
        self._own_phone = own_phone
        self._active: _ActiveRedrive | None = None
        self._interrupted_id: int | None = None

    def run_slice(self, connection: Connection, may_continue: Callable[[], bool]) -> bool:
        """Run steps of a queued redrive for a slice of time, asking `may_continue` after each.

        Returns whether there may be more. Raises TransientError: the next slice resumes the redrive.
        """
        try:
            self._active = self._active or self._start(connection)
            if self._active is None:
                return False
            self._run_steps(self._active, may_continue)
        except progress.ReplayRunningError:
            return False
        except TransientError:
            self.release()
            raise
        return True

    def release(self) -> None:
        """Leave the active redrive to the worker that looks next."""
        if self._active is not None:
            self._interrupted_id = self._active.request.redrive_id
            self._active.retry.connection.close()
            self._active = None

    def _start(self, connection: Connection) -> _ActiveRedrive | None:
        with connections.deadline(connection, STEP_DEADLINE_SECONDS):
            if not redrive_requests.has_pending(connection):
                return None
        plan = ReplayPlan(self._get_parser(), own_phone=self._own_phone, batch_size=STEP_EVENTS)
        # Does not wait for the replay lock: another worker may hold it, and new events come first.
        own_connection = replay.open_connection(self._database_url, wait_seconds=0)
        with contextlib.ExitStack() as on_failure:
            on_failure.callback(own_connection.close)
            with connections.deadline(own_connection, STEP_DEADLINE_SECONDS):
                request = redrive_requests.claim(own_connection, survived=self._interrupted_id)
                if request is None:
                    return None
                event_ids = redrive_requests.start(own_connection, request)
                active = _ActiveRedrive(request, ParkedRetry(own_connection, plan, event_ids))
            on_failure.pop_all()
        log.info("redrive %d of %d events, requested by %s", request.redrive_id, active.retry.total, request.caller)
        return active

    def _run_steps(self, active: _ActiveRedrive, may_continue: Callable[[], bool]) -> None:
        until, connection = time.monotonic() + SLICE_SECONDS, active.retry.connection
        while True:
            failure: str | None = None
            with connections.deadline(connection, STEP_DEADLINE_SECONDS):
                try:
                    has_more = active.retry.step()
                except PermanentError as error:
                    has_more, failure = False, str(error)
                redrive_requests.save_progress(connection, active.request, done=not has_more, failure=failure)
            if not has_more:
                log.info("redrive %d is done", active.request.redrive_id)
                self.release()
                return
            if time.monotonic() >= until or not may_continue():
                return
