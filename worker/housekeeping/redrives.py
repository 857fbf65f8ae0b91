"""Does the redrives that somebody asked the API for, a few events at a time, while nothing waits to be drained."""

import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from store.erasure.suppressions import Forgets
from store.postgres import connections
from store.postgres.connections import Connection
from store.postgres.errors import PermanentError, TransientError
from store.replay import progress, redrive_requests, replay
from store.replay.parked_retry import Redrive
from store.replay.redrive_requests import Redrive as Asked
from store.replay.replay import Plan
from worker.commands.replay import our_parser

log = logging.getLogger("worker.housekeeping.redrives")

SIZE = 64
"""Events in one step: what waits to be drained waits for a step."""
SLICE = 2.0
"""Seconds that may be spent before the worker looks after other things."""
ANSWER = 20.0
"""Seconds that PostgreSQL has for a step."""
PAUSE = 1.0
"""Seconds between two looks for what somebody asked for, and before another try."""


@dataclass(frozen=True, slots=True)
class _Job:
    connection: Connection
    asked: Asked
    work: Redrive


class Redrives:
    """One worker's part; of several one does it at a time, and whatever dies with one is taken up by another."""

    def __init__(self, database_url: str, own_phone: str | None, known: Forgets | None = None) -> None:
        self._database_url = database_url
        self._own_phone = own_phone
        self._known = known or Forgets()
        self._job: _Job | None = None
        self._survived: int | None = None
        self._next = 0.0

    def go_on(self, connection: Callable[[], Connection], may_go_on: Callable[[], bool]) -> None:
        """Do some of what was asked for, if anything was; asks `may_go_on` after every step.

        Never raises for PostgreSQL: what was asked for stays written down.
        """
        try:
            if self._job is None and not self._began(connection):
                return
            self._work(may_go_on)
        except progress.BusyError:
            self._next = time.monotonic() + PAUSE
        except TransientError as error:
            log.warning("%s: the redrive is taken up again", error)
            self.let_go()
            self._next = time.monotonic() + PAUSE

    def let_go(self) -> None:
        """Leave what is in hand to whoever looks next."""
        if self._job is not None:
            self._survived = self._job.asked.redrive_id
            self._job.connection.close()
            self._job = None

    def _began(self, connection: Callable[[], Connection]) -> bool:
        if time.monotonic() < self._next:
            return False
        self._next = time.monotonic() + PAUSE
        ours = connection()
        with connections.deadline(ours, ANSWER):
            if not redrive_requests.wanted(ours):
                return False
        plan = Plan(our_parser(self._known), own_phone=self._own_phone, size=SIZE)
        # Without waiting: another worker may be at it, and what comes meanwhile wants to be drained.
        alone = replay.open(self._database_url, plan, patience=0)
        with contextlib.ExitStack() as otherwise:
            otherwise.callback(alone.close)
            with connections.deadline(alone, ANSWER):
                asked = redrive_requests.take(alone, survived=self._survived)
                if asked is None:
                    return False
                self._job = _Job(alone, asked, Redrive(alone, plan, events=redrive_requests.begin(alone, asked)))
            otherwise.pop_all()
        log.info("redrive %d of %d events, asked for by %s", asked.redrive_id, self._job.work.target, asked.caller)
        return True

    def _work(self, may_go_on: Callable[[], bool]) -> None:
        assert self._job is not None
        job, until = self._job, time.monotonic() + SLICE
        while True:
            failure: str | None = None
            with connections.deadline(job.connection, ANSWER):
                try:
                    more = job.work.step()
                except PermanentError as error:
                    more, failure = False, str(error)
                redrive_requests.note(job.connection, job.asked, done=not more, failure=failure)
            if not more:
                log.info("redrive %d is done", job.asked.redrive_id)
                self.let_go()
                return
            if time.monotonic() >= until or not may_go_on():
                return
