"""Replays the history: parses all raw events again and repairs rows that differ, while workers continue to write.

A step consists of a few short transactions, which also store the progress, so an interrupted replay can resume. The
stages are: retract wrong names, LID evidence and session reports; fold all events again; remove wrong facts that no
event replaced; recompute the summaries of all chats.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial

from store.erasure import suppressions
from store.postgres import connections, errors
from store.postgres.connections import Connection
from store.postgres.errors import PermanentError
from store.replay import latest_facts, progress, report, retractions, shadow, sources, summaries
from store.replay.latest_facts import FactKey, LatestFact
from store.replay.progress import ReplayProgress, ReplayStage
from store.replay.refolding import Refolder
from store.replay.report import Difference, ReplayReport, not_yet_counted
from store.replay.sources import EventParser

_PAGE_SIZE = 200
"""The number of facts or chats that one transaction locks."""
_SUSPECT_WINDOW = 50_000
"""The number of events searched at a time for those from which names, LID evidence and session reports came."""
_SESSION_SETTINGS = {"statement_timeout": "300s"}
"""The timeout of a statement, which is long because a window of events is joined with all chats."""


@dataclass(frozen=True, slots=True)
class ReplayPlan:
    parser: EventParser
    own_phone: str | None = None
    batch_size: int = 512
    """The number of events in one step."""
    dry_run: bool = False
    """True to report differences without changing anything."""


def open_connection(database_url: str, wait_seconds: float = progress.LOCK_WAIT) -> Connection:
    """Return a connection that holds the replay lock. Raises ReplayRunningError and TransientError."""
    connection = connections.open(database_url, "replay", overrides=_SESSION_SETTINGS, dedicated=True)
    with contextlib.ExitStack() as on_failure, errors.translated():
        on_failure.callback(connection.close)
        progress.lock(connection, wait_seconds)
        shadow.create_tables(connection)
        report.create_table(connection)
        on_failure.pop_all()
    return connection


class Replay:
    """One replay. Call `step` until it returns False."""

    def __init__(self, connection: Connection, plan: ReplayPlan, *, restart: bool = False) -> None:
        self.connection = connection
        self._plan = plan
        self._refolder = Refolder(plan.parser, plan.own_phone, set())
        self._suspects: dict[int, list[LatestFact]] = {}
        self._window_end = 0
        self._unreplaced: list[LatestFact] | None = None
        self._wrong_facts: dict[FactKey, LatestFact] = {}
        """In a dry run: the wrong facts that no event has replaced so far."""
        self._last_chat_id = 0
        self._last_growth: int | None = None
        with errors.translated():
            self.progress: ReplayProgress = self._start_or_resume(restart=restart)
            self.target_event_id = sources.last_visible_event(connection)
            """The last event to replay; grows as events arrive."""

    def reconnect(self, connection: Connection) -> None:
        """Continue on a new connection from `open_connection`.

        A dry run cannot continue, because its state is in its connection.
        """
        self.connection = connection
        self._suspects = {}
        self._unreplaced = None

    def _start_or_resume(self, *, restart: bool) -> ReplayProgress:
        if self._plan.dry_run:
            return ReplayProgress(None, "retractions", 0, ReplayReport())
        interrupted = None if restart else progress.resume(self.connection, self._plan.parser.name)
        return interrupted or progress.start(self.connection, self._plan.parser.name)

    @property
    def report(self) -> ReplayReport:
        return self.progress.report

    @property
    def progress_text(self) -> str:
        return f"{self.progress.stage}: event {self.progress.last_event_id:,} of {self.target_event_id:,}"

    def step(self) -> bool:
        """Run the next step and return whether more remain.

        Raises TransientError, after which the step may be repeated.
        """
        with errors.translated():
            match self.progress.stage:
                case "retractions":
                    self._retract_facts()
                case "events":
                    self._replay_events()
                case "removals":
                    self._remove_facts()
                case "chats":
                    self._refresh_summaries()
                case "done":
                    pass
        return self.progress.stage != "done"

    def _record_progress(
        self, differences: Sequence[Difference] = (), *, event_ids: Sequence[int] = (), last_event_id: int | None = None
    ) -> ReplayProgress:
        """Store the progress in the caller's transaction and return it.

        Assign it to `self.progress` after the COMMIT.
        """
        reached = replace(self.progress, report=deepcopy(self.progress.report))
        reached.report.event_count += len(event_ids)
        reached.report.add(not_yet_counted(self.connection, differences))
        if event_ids or last_event_id is not None:
            reached.last_event_id = event_ids[-1] if last_event_id is None else last_event_id
        progress.save(self.connection, reached)
        return reached

    def _start_stage(self, stage: ReplayStage) -> None:
        last_event_id = 0 if stage == "events" else self.progress.last_event_id
        reached = replace(self.progress, stage=stage, last_event_id=last_event_id)
        with self.connection.transaction():
            progress.save(self.connection, reached)
        self.progress = reached

    def _retract_facts(self) -> None:
        connection, after = self.connection, self.progress.last_event_id
        if not self._suspects:
            self._window_end = min(after + _SUSPECT_WINDOW, self.target_event_id)
            self._suspects = retractions.find_suspects(connection, after, self._window_end)
        page = list(self._suspects)[: self._plan.batch_size]
        self._run_page(page, lambda: self._retract_page(page))
        if self.progress.last_event_id >= self.target_event_id:
            self._start_stage("events")

    def _retract_page(self, event_ids: Sequence[int]) -> None:
        connection = self.connection
        is_last = len(event_ids) == len(self._suspects)
        with connection.transaction():
            suppressions.lock_shared(connection)
            load = partial(self._refolder.load, connection, event_ids)
            replacements = retractions.retract(connection, self._suspects, load, dry_run=self._plan.dry_run)
            reached = self._record_progress(
                [latest_facts.describe_retraction(fact, to) for fact, to in replacements.items() if to is not None],
                last_event_id=self._window_end if is_last else event_ids[-1],
            )
        self.progress = reached
        self._wrong_facts |= {fact.key: fact for fact, to in replacements.items() if to is None}
        for event_id in event_ids:
            del self._suspects[event_id]

    def _replay_events(self) -> None:
        after = self.progress.last_event_id
        page = sources.page_of_ids(self.connection, after, self.target_event_id, self._plan.batch_size)
        if page:
            self._run_page(page, lambda: self._refold_page(page, after))
        elif self._plan.dry_run or not self._needs_another_round():
            self._start_stage("removals")

    def _run_page(self, event_ids: Sequence[int], work: Callable[[], None]) -> None:
        """Run `work` on these events. If PostgreSQL rejects an event, mark it, so that the next step skips it."""
        try:
            with errors.translated():
                work()
        except PermanentError:
            if not self._refolder.find_rejected(self.connection, event_ids):
                raise

    def _needs_another_round(self) -> bool:
        """Return whether the last round brought more than a page of new events, but fewer than the round before."""
        last, self.target_event_id = self.target_event_id, sources.last_visible_event(self.connection)
        before, self._last_growth = self._last_growth, self.target_event_id - last
        return self._last_growth > self._plan.batch_size and (before is None or self._last_growth < before)

    def _refold_page(self, event_ids: Sequence[int], after: int) -> None:
        connection = self.connection
        reached = self.progress
        with connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            found = self._refolder.compare(connection, event_ids, after)
            facts = latest_facts.extract_latest(found.sources)
            missing = latest_facts.missing(connection, facts.values())
            if self._plan.dry_run:
                differences = [latest_facts.describe(fact, value) for fact, value in missing]
                differences += self._describe_replacements(facts)
                reached = self._record_progress([*found.describe(), *differences], event_ids=event_ids)
            elif not found.differs and not missing:
                reached = self._record_progress(event_ids=event_ids)
        if missing and not self._plan.dry_run:
            # A transaction of its own, because the repair takes locks in another order. After an interruption,
            # repeating it has no effect.
            with connection.transaction():
                applied = latest_facts.apply_missing(connection, found.sources)
                reached = self._record_progress(applied, event_ids=() if found.differs else event_ids)
            self.progress = reached
        if found.differs and not self._plan.dry_run:
            with connection.transaction():
                suppressions.lock_shared(connection)
                repaired = self._refolder.repair(connection, found, f"replay {self.progress.replay_id}")
                reached = self._record_progress(repaired, event_ids=event_ids)
        self.progress = reached

    def _describe_replacements(self, facts: Mapping[FactKey, LatestFact]) -> list[Difference]:
        return [
            latest_facts.describe_retraction(wrong, fact)
            for key, fact in facts.items()
            if (wrong := self._wrong_facts.pop(key, None)) is not None
        ]

    def _remove_facts(self) -> None:
        connection, dry_run = self.connection, self._plan.dry_run
        if self._unreplaced is None:
            wrong = self._wrong_facts.values()
            self._unreplaced = list(wrong) if dry_run else retractions.find_unreplaced(connection)
        page = self._unreplaced[:_PAGE_SIZE]
        if not page:
            self._start_stage("chats")
            return
        with connection.transaction():
            if not dry_run:
                suppressions.lock_shared(connection)
                retractions.remove(connection, page)
            reached = self._record_progress([latest_facts.describe_retraction(fact, None) for fact in page])
        self.progress = reached
        del self._unreplaced[:_PAGE_SIZE]

    def _refresh_summaries(self) -> None:
        with self.connection.transaction(force_rollback=self._plan.dry_run):
            suppressions.lock_shared(self.connection)
            chat_ids, differences = summaries.refresh_page(self.connection, self._last_chat_id, _PAGE_SIZE)
            reached = self._record_progress(differences)
        self.progress = reached
        if chat_ids:
            self._last_chat_id = chat_ids[-1]
        else:
            self._start_stage("done")
