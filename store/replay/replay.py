"""Replays the history from its sources, a step at a time, online; interrupted, it goes on where it was."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from store.erasure import suppressions
from store.postgres import connections, errors
from store.postgres.connections import Connection
from store.postgres.errors import PermanentError
from store.replay import latest_facts, progress, report, retractions, shadow, sources, summaries
from store.replay.latest_facts import FactKey, LatestFact
from store.replay.progress import ReplayProgress, ReplayStage
from store.replay.refolding import Refolder
from store.replay.report import Difference, ReplayReport, not_yet_counted
from store.replay.sources import EventParser, SourceEvent

_PAGE_SIZE = 200
"""Facts or chats in one transaction, which locks them."""
_SUSPECT_WINDOW = 50_000
"""Events that are searched at a time for those that names, LID evidence and session reports came from."""
_SESSION_SETTINGS = {"statement_timeout": "300s"}
"""Finding those events compares all chats with a window of events."""


@dataclass(frozen=True, slots=True)
class ReplayPlan:
    """What is to be replayed, and how."""

    parser: EventParser
    own_phone: str | None = None
    batch_size: int = 512
    """Events in one step."""
    dry_run: bool = False
    """Only find out what would change."""


def open_connection(database_url: str, wait_seconds: float = progress.LOCK_WAIT) -> Connection:
    """A connection that is the only one to replay; raises BusyError and TransientError."""
    connection = connections.open(database_url, "replay", overrides=_SESSION_SETTINGS, dedicated=True)
    with contextlib.ExitStack() as on_failure, errors.translated():
        on_failure.callback(connection.close)
        progress.lock(connection, wait_seconds)
        shadow.create_tables(connection)
        report.create_table(connection)
        on_failure.pop_all()
    return connection


class Replay:
    """One replay of everything; `step` until it says that nothing is left."""

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
            """The last event that is to be replayed, as far as is known."""

    def reconnect(self, connection: Connection) -> None:
        """Take another of `open`, as the last broke; not in a dry run, which remembers in its connection."""
        self.connection = connection
        self._suspects = {}
        self._unreplaced = None

    def _start_or_resume(self, *, restart: bool) -> ReplayProgress:
        if self._plan.dry_run:
            return ReplayProgress(None, "retractions", 0, ReplayReport())
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
        self,
        differences: Sequence[Difference] = (),
        *,
        event_ids: Sequence[int] = (),
        last_event_id: int | None = None,
        stage: ReplayStage | None = None,
    ) -> ReplayProgress:
        """Store the progress that the caller's transaction makes; it is current once that is committed."""
        if event_ids:
            last_event_id = event_ids[-1]
        known = self.progress.report.copy()
        known.event_count += len(event_ids)
        known.add(not_yet_counted(self.connection, differences))
        reached = replace(
            self.progress,
            stage=stage or self.progress.stage,
            last_event_id=self.progress.last_event_id if last_event_id is None else last_event_id,
            report=known,
        )
        progress.save(self.connection, reached)
        return reached

    def _start_stage(self, stage: ReplayStage) -> None:
        with self.connection.transaction():
            reached = self._record_progress(stage=stage, last_event_id=0 if stage == "events" else None)
        self.progress = reached

    def _retract_facts(self) -> None:
        connection, after = self.connection, self.progress.last_event_id
        if not self._suspects:
            self._window_end = min(after + _SUSPECT_WINDOW, self.target_event_id)
            self._suspects = retractions.find_suspects(connection, after, self._window_end)
        page = list(self._suspects)[: self._plan.batch_size]
        is_last = len(page) == len(self._suspects)
        with connection.transaction():
            suppressions.lock_shared(connection)
            replacements = retractions.find_wrong(self._suspects, self._load(page))
            if replacements and not self._plan.dry_run:
                locked = retractions.lock(connection, replacements)
                # Read again under the locks: a copy of the event may have dated a fact anew.
                still_wrong = retractions.find_wrong(self._suspects, self._load(page))
                replacements = {fact: still_wrong[fact] for fact in replacements if fact in still_wrong}
                retractions.replace_facts(
                    connection, locked, {fact: to or retractions.demoted(fact) for fact, to in replacements.items()}
                )
            reached = self._record_progress(
                [latest_facts.describe_retraction(fact, to) for fact, to in replacements.items() if to is not None],
                last_event_id=self._window_end if is_last else page[-1],
            )
        self.progress = reached
        self._wrong_facts |= {fact.key: fact for fact, to in replacements.items() if to is None}
        for event_id in page:
            del self._suspects[event_id]
        if reached.last_event_id >= self.target_event_id:
            self._start_stage("events")

    def _load(self, event_ids: Sequence[int]) -> list[SourceEvent]:
        return sources.load(self.connection, event_ids, self._plan.parser, self._refolder.rejected_event_ids)

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
        elif self._plan.dry_run or not self._needs_another_round():
            self._start_stage("removals")

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
            facts = latest_facts.extract_latest(found.sources)
            missing = latest_facts.missing(connection, facts.values())
            if self._plan.dry_run:
                differences = [latest_facts.describe(fact, value) for fact, value in missing]
                differences += self._describe_replacements(facts)
                reached = self._record_progress([*found.describe(), *differences], event_ids=event_ids)
            elif not found.differs and not missing:
                reached = self._record_progress(event_ids=event_ids)
        if missing and not self._plan.dry_run:
            # Apart from the repair, which takes locks in another order; an interruption repeats this without effect.
            with connection.transaction():
                applied = latest_facts.apply_missing(connection, facts.values())
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
        connection = self.connection
        if self._unreplaced is None:
            self._unreplaced = (
                list(self._wrong_facts.values()) if self._plan.dry_run else retractions.find_unreplaced(connection)
            )
        page = self._unreplaced[:_PAGE_SIZE]
        if not page:
            self._start_stage("chats")
            return
        with connection.transaction():
            if not self._plan.dry_run:
                suppressions.lock_shared(connection)
                retractions.replace_facts(connection, retractions.lock(connection, page), dict.fromkeys(page))
            reached = self._record_progress([latest_facts.describe_retraction(fact, None) for fact in page])
        self.progress = reached
        del self._unreplaced[:_PAGE_SIZE]

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
