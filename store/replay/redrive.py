"""Redrives parked events with the current parser, either a given list or those of the queued requests.

Events that the parser now understands are stored and removed from the list.
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
"""The number of events in one step of a redrive. A drain has to wait until a step ends."""
SLICE_SECONDS = 2.0
"""The time in seconds that a worker spends on a redrive before its other duties."""
STEP_DEADLINE_SECONDS = 20.0
"""The time limit in seconds for a step of a redrive."""


class Redrive:
    """A redrive of the given parked events. Call `step` until it returns False."""

    def __init__(self, connection: Connection, plan: ReplayPlan, event_ids: Sequence[int]) -> None:
        """Create a redrive of these events, which are sorted, as returned by `redrive_requests.select_event_ids`."""
        self.connection = connection
        self.report = ReplayReport()
        self.total = len(event_ids)
        self._plan = plan
        self._refolder = Refolder(plan.parser, plan.own_phone, set())
        self._remaining = list(event_ids)

    def reconnect(self, connection: Connection) -> None:
        """Continue on a new connection from `replay.open_connection` after the last one broke."""
        self.connection = connection

    @property
    def progress_text(self) -> str:
        """The progress as text for the log."""
        return f"{self.total - len(self._remaining):,} of {self.total:,} parked events"

    def step(self) -> bool:
        """Redrive the next page of events and return whether more remain.

        Raises TransientError, after which the step may be repeated.
        """
        with errors.translated():
            page = sources.first_within_limit(self.connection, self._remaining[: self._plan.batch_size])
            if not page:
                # The bodies were deleted after the selection.
                del self._remaining[: self._plan.batch_size]
                return bool(self._remaining)
            try:
                with errors.translated():
                    self._redrive(page)
            except PermanentError:
                if not self._refolder.find_rejected(self.connection, page):
                    raise
                return True
        self._remaining = [event_id for event_id in self._remaining if event_id > page[-1]]
        self.report.event_count += len(page)
        return bool(self._remaining)

    def _redrive(self, event_ids: Sequence[int]) -> None:
        connection = self.connection
        with connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            found = self._refolder.compare(connection, event_ids, None)
        differences = found.describe()
        if found.differs and not self._plan.dry_run:
            understood = [source for source in found.reclassified if source.outcome.kind != "parked"]
            # Names, LIDs and sessions are folded first in their own transaction. After an interruption, repeating it
            # has no effect.
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
    redrive: Redrive


class RedriveRunner:
    """The task that runs queued redrives, in one worker at a time. If it dies, another one resumes the redrive."""

    def __init__(self, database_url: str, get_parser: Callable[[], EventParser], own_phone: str | None) -> None:
        self._database_url = database_url
        self._get_parser = get_parser
        self._own_phone = own_phone
        self._active: _ActiveRedrive | None = None
        self._interrupted_id: int | None = None

    def run_slice(self, connection: Connection, may_continue: Callable[[], bool]) -> bool:
        """Run steps of a queued redrive for a limited time, calling `may_continue` after each.

        Returns whether more may remain. Raises TransientError; the next call resumes the redrive.
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
        """Stop working on the active redrive, so that another worker can resume it."""
        if self._active is not None:
            self._interrupted_id = self._active.request.redrive_id
            self._active.redrive.connection.close()
            self._active = None

    def _start(self, connection: Connection) -> _ActiveRedrive | None:
        with connections.deadline(connection, STEP_DEADLINE_SECONDS):
            if not redrive_requests.has_pending(connection):
                return None
        plan = ReplayPlan(self._get_parser(), own_phone=self._own_phone, batch_size=STEP_EVENTS)
        # There is no wait for the replay lock, because another worker may hold it and new events take priority.
        own_connection = replay.open_connection(self._database_url, wait_seconds=0)
        with contextlib.ExitStack() as on_failure:
            on_failure.callback(own_connection.close)
            with connections.deadline(own_connection, STEP_DEADLINE_SECONDS):
                request = redrive_requests.claim(own_connection, survived=self._interrupted_id)
                if request is None:
                    return None
                event_ids = redrive_requests.start(own_connection, request)
                active = _ActiveRedrive(request, Redrive(own_connection, plan, event_ids))
            on_failure.pop_all()
        log.info("redrive %d of %d events, requested by %s", request.redrive_id, active.redrive.total, request.caller)
        return active

    def _run_steps(self, active: _ActiveRedrive, may_continue: Callable[[], bool]) -> None:
        until, connection = time.monotonic() + SLICE_SECONDS, active.redrive.connection
        while True:
            failure: str | None = None
            with connections.deadline(connection, STEP_DEADLINE_SECONDS):
                try:
                    has_more = active.redrive.step()
                except PermanentError as error:
                    has_more, failure = False, str(error)
                redrive_requests.save_progress(connection, active.request, done=not has_more, failure=failure)
            if not has_more:
                log.info("redrive %d is done", active.request.redrive_id)
                self.release()
                return
            if time.monotonic() >= until or not may_continue():
                return
