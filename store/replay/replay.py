"""Replays the history from its sources, a step at a time, online; interrupted, it goes on where it was."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from store.erasure import suppressions
from store.postgres import connections, errors
from store.postgres.connections import Connection
from store.postgres.errors import PermanentError
from store.replay import latest_facts, progress, report, retractions, shadow, sources, summaries
from store.replay.latest_facts import FactKey
from store.replay.progress import ReplayProgress, ReplayStage
from store.replay.refolding import Refolder
from store.replay.report import Difference, ReplayReport, not_yet_counted
from store.replay.sources import EventParser

_PAGE_SIZE = 200
"""Names or chats in one transaction: they are locked for its time."""
_SESSION_SETTINGS = {"statement_timeout": "300s"}
"""What is asked at the end looks at all names at once."""


@dataclass(frozen=True, slots=True)
class ReplayPlan:
    """What is to be replayed, and how."""

    parser: EventParser
    own_phone: str | None = None
    batch_size: int = 512
    """Events in one step."""
    dry_run: bool = False
    """Only find out what would change."""


def open_connection(database_url: str, plan: ReplayPlan, wait_seconds: float = progress.LOCK_WAIT) -> Connection:
    """A connection that is the only one to replay; raises BusyError and TransientError."""
    connection = connections.open(database_url, "replay", overrides=_SESSION_SETTINGS, dedicated=True)
    with contextlib.ExitStack() as on_failure, errors.translated():
        on_failure.callback(connection.close)
        progress.lock(connection, wait_seconds)
        shadow.create_tables(connection)
        retractions.create_table(connection)
        report.create_table(connection)
        if plan.dry_run:
            latest_facts.create_temporary_table(connection)
        on_failure.pop_all()
    return connection


class Replay:
    """One replay of everything; `step` until it says that nothing is left."""

    def __init__(self, connection: Connection, plan: ReplayPlan, *, restart: bool = False) -> None:
        self.connection = connection
        self._plan = plan
        self._refolder = Refolder(plan.parser, plan.own_phone, set())
        self._last_fact_key: FactKey = latest_facts.BEFORE_FIRST
        self._suspect_event_ids: list[int] | None = None
        self._last_chat_id = 0
        self._last_growth: int | None = None
        with errors.translated():
            self.progress: ReplayProgress = self._start_or_resume(restart=restart)
            self.target_event_id = sources.last_visible_event(connection)
            """The last event that is to be replayed, as far as is known."""

    def reconnect(self, connection: Connection) -> None:
        """Take another of `open`, as the last broke; not in a dry run, which remembers in its connection."""
        self.connection = connection
        self._suspect_event_ids = None

    def _start_or_resume(self, *, restart: bool) -> ReplayProgress:
        if self._plan.dry_run:
            return ReplayProgress(None, "events", 0, ReplayReport())
        known = None if restart else progress.resume(self.connection, self._plan.parser.name)
        return known or progress.start(self.connection, self._plan.parser.name)

    @property
    def report(self) -> ReplayReport:
        """What was different so far, also before an interruption."""
        return self.progress.report

    @property
    def progress_text(self) -> str:
        """How far it is, in words."""
        return f"{self.progress.stage}: event {self.progress.last_event_id:,} of {self.target_event_id:,}"

    def step(self) -> bool:
        """Do the next bit, in a transaction or two; returns whether there is more to do.

        Raises TransientError, after which the same step can be tried again.
        """
        with errors.translated():
            match self.progress.stage:
                case "events" | "late events":
                    self._replay_events()
                case "latest facts" | "late facts":
                    self._apply_latest_facts()
                case "retractions":
                    self._retract_facts()
                case "chats":
                    self._refresh_summaries()
                case "done":
                    pass
        return self.progress.stage != "done"

    def _record_progress(
        self, differences: Sequence[Difference] = (), *, event_ids: Sequence[int] = (), stage: ReplayStage | None = None
    ) -> ReplayProgress:
        """Note how far the replay will be after the transaction that gets it there."""
        known = self.progress.report.copy()
        known.event_count += len(event_ids)
        known.add(not_yet_counted(self.connection, differences))
        reached = replace(
            self.progress,
            stage=stage or self.progress.stage,
            last_event_id=event_ids[-1] if event_ids else self.progress.last_event_id,
            report=known,
        )
        progress.save(self.connection, reached)
        return reached

    def _start_stage(self, stage: ReplayStage) -> None:
        with self.connection.transaction():
            reached = self._record_progress(stage=stage)
        self.progress = reached
        self._last_fact_key = latest_facts.BEFORE_FIRST
        if stage == "late events":
            self.target_event_id = sources.last_visible_event(self.connection)

    def _replay_events(self) -> None:
        after = self.progress.last_event_id
        page = sources.page_of_ids(self.connection, after, self.target_event_id, self._plan.batch_size)
        if page:
            try:
                with errors.translated():
                    self._refold_page(page, after)
            except PermanentError:
                if not self._refolder.find_rejected(self.connection, page):
                    raise
        elif self.progress.stage == "late events":
            self._start_stage("late facts")
        elif self._plan.dry_run or not self._needs_another_round():
            self._start_stage("latest facts")

    def _needs_another_round(self) -> bool:
        """Whether so many events came meanwhile that they are worth another round; ever fewer, or it is given up."""
        last, self.target_event_id = self.target_event_id, sources.last_visible_event(self.connection)
        before, self._last_growth = self._last_growth, self.target_event_id - last
        return self._last_growth > self._plan.batch_size and (before is None or self._last_growth < before)

    def _refold_page(self, event_ids: Sequence[int], after: int) -> None:
        connection = self.connection
        reached = self.progress
        with connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            found = self._refolder.compare(connection, event_ids, after)
            if self._plan.dry_run or not found.differs:
                latest_facts.collect(connection, found.sources)
                reached = self._record_progress(found.describe(), event_ids=event_ids)
        if not self._plan.dry_run and found.differs:
            with connection.transaction():
                suppressions.lock_shared(connection)
                repaired = self._refolder.repair(connection, found, f"replay {self.progress.replay_id}")
                latest_facts.collect(connection, found.sources)
                reached = self._record_progress(repaired, event_ids=event_ids)
        self.progress = reached

    def _apply_latest_facts(self) -> None:
        with self.connection.transaction():
            suppressions.lock_shared(self.connection)
            unheard = latest_facts.missing(self.connection, self._last_fact_key, _PAGE_SIZE)
            if unheard and not self._plan.dry_run:
                latest_facts.apply(self.connection, [saying for saying, _ in unheard])
            reached = self._record_progress([latest_facts.describe(saying, was) for saying, was in unheard])
        self.progress = reached
        if unheard:
            self._last_fact_key = unheard[-1][0].key
        else:
            self._start_stage("retractions" if self.progress.stage == "latest facts" else "chats")

    def _retract_facts(self) -> None:
        connection = self.connection
        if self._suspect_event_ids is None:
            with connection.transaction():
                doubted = retractions.collect_doubts(connection)
            self._suspect_event_ids = (
                retractions.find_suspect_events(connection, self.progress.last_event_id) if doubted else []
            )
        page = self._suspect_event_ids[: self._plan.batch_size]
        if not page:
            self._start_stage("chats" if self._plan.dry_run else "late events")
            return
        with connection.transaction():
            suppressions.lock_shared(connection)
            reading = retractions.SuspectEvents(page, self._plan.parser, self._refolder.rejected_event_ids)
            wrong = retractions.find_refuted(connection, reading)
            instead = latest_facts.get(connection, [one.key for one in wrong])
            if wrong and not self._plan.dry_run:
                retractions.retract(connection, wrong, instead, reading)
            reached = self._record_progress(
                [latest_facts.describe_retraction(one, instead.get(one.key)) for one in wrong]
            )
        self.progress = reached
        del self._suspect_event_ids[: self._plan.batch_size]

    def _refresh_summaries(self) -> None:
        with self.connection.transaction(force_rollback=self._plan.dry_run):
            suppressions.lock_shared(self.connection)
            shown, differences = summaries.refresh_page(self.connection, self._last_chat_id, _PAGE_SIZE)
            reached = self._record_progress(differences)
        self.progress = reached
        if shown:
            self._last_chat_id = shown[-1]
        else:
            self._start_stage("done")
