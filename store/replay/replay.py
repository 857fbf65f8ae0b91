"""Replays the history from its sources, a step at a time, online; interrupted, it goes on where it was."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from store.erasure import suppressions
from store.postgres import connections, errors
from store.postgres.connections import Connection
from store.postgres.errors import PermanentError
from store.replay import latest_facts, progress, report, retractions, shadow, sources, summaries
from store.replay.latest_facts import Subject
from store.replay.progress import Progress, Stage
from store.replay.refolding import Refolding
from store.replay.report import Difference, Report, uncounted
from store.replay.sources import Parser

_PAGE = 200
"""Names or chats in one transaction: they are locked for its time."""
_BOUNDS = {"statement_timeout": "300s"}
"""What is asked at the end looks at all names at once."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be replayed, and how."""

    parser: Parser
    own_phone: str | None = None
    size: int = 512
    """Events in one step."""
    dry: bool = False
    """Only find out what would change."""


def open(database_url: str, plan: Plan, patience: float = progress.PATIENCE) -> Connection:  # noqa: A001 - read as replay.open
    """A connection that is the only one to replay; raises BusyError and TransientError."""
    connection = connections.open(database_url, "replay", bounds=_BOUNDS, alone=True)
    with contextlib.ExitStack() as on_failure, errors.translated():
        on_failure.callback(connection.close)
        progress.lock(connection, patience)
        shadow.prepare(connection)
        retractions.prepare(connection)
        report.prepare(connection)
        if plan.dry:
            latest_facts.prepare_dry(connection)
        on_failure.pop_all()
    return connection


class Replay:
    """One replay of everything; `step` until it says that nothing is left."""

    def __init__(self, connection: Connection, plan: Plan, *, restart: bool = False) -> None:
        self.connection = connection
        self._plan = plan
        self._refolding = Refolding(plan.parser, plan.own_phone, set())
        self._saying: Subject = latest_facts.FIRST
        self._suspects: list[int] | None = None
        self._chat = 0
        self._growth: int | None = None
        with errors.translated():
            self.progress: Progress = self._begin(restart=restart)
            self.target = sources.horizon(connection)
            """The last event that is to be replayed, as far as is known."""

    def go_on(self, connection: Connection) -> None:
        """Take another of `open`, as the last broke; not in a dry run, which remembers in its connection."""
        self.connection = connection
        self._suspects = None

    def _begin(self, *, restart: bool) -> Progress:
        if self._plan.dry:
            return Progress(None, "events", 0, Report())
        known = None if restart else progress.resume(self.connection, self._plan.parser.name)
        return known or progress.begin(self.connection, self._plan.parser.name)

    @property
    def report(self) -> Report:
        """What was different so far, also before an interruption."""
        return self.progress.report

    @property
    def where(self) -> str:
        """How far it is, in words."""
        return f"{self.progress.stage}: event {self.progress.last_event_id:,} of {self.target:,}"

    def step(self) -> bool:
        """Do the next bit, in a transaction or two; returns whether there is more to do.

        Raises TransientError, after which the same step can be tried again.
        """
        with errors.translated():
            match self.progress.stage:
                case "events" | "latecomers":
                    self._events()
                case "sayings" | "late sayings":
                    self._hear()
                case "withdrawals":
                    self._withdraw()
                case "chats":
                    self._recount()
                case "done":
                    pass
        return self.progress.stage != "done"

    def _advance(
        self, differences: Sequence[Difference] = (), *, read: Sequence[int] = (), stage: Stage | None = None
    ) -> Progress:
        """Note how far the replay will be after the transaction that gets it there."""
        known = self.progress.report.copy()
        known.events += len(read)
        known.add(uncounted(self.connection, differences))
        reached = replace(
            self.progress,
            stage=stage or self.progress.stage,
            last_event_id=read[-1] if read else self.progress.last_event_id,
            report=known,
        )
        progress.note(self.connection, reached)
        return reached

    def _enter(self, stage: Stage) -> None:
        with self.connection.transaction():
            reached = self._advance(stage=stage)
        self.progress = reached
        self._saying = latest_facts.FIRST
        if stage == "latecomers":
            self.target = sources.horizon(self.connection)

    def _events(self) -> None:
        after = self.progress.last_event_id
        page = sources.page(self.connection, after, self.target, self._plan.size)
        if page:
            try:
                with errors.translated():
                    self._refold(page, after)
            except PermanentError:
                if not self._refolding.refuse(self.connection, page):
                    raise
        elif self.progress.stage == "latecomers":
            self._enter("late sayings")
        elif self._plan.dry or not self._grew():
            self._enter("sayings")

    def _grew(self) -> bool:
        """Whether so many events came meanwhile that they are worth another round; ever fewer, or it is given up."""
        last, self.target = self.target, sources.horizon(self.connection)
        before, self._growth = self._growth, self.target - last
        return self._growth > self._plan.size and (before is None or self._growth < before)

    def _refold(self, page: Sequence[int], after: int) -> None:
        connection = self.connection
        reached = self.progress
        with connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            found = self._refolding.compare(connection, page, after)
            if self._plan.dry or not found.differs:
                latest_facts.listen(connection, found.batch)
                reached = self._advance(found.told(), read=page)
        if not self._plan.dry and found.differs:
            with connection.transaction():
                suppressions.hold(connection)
                repaired = self._refolding.repair(connection, found, f"replay {self.progress.replay_id}")
                latest_facts.listen(connection, found.batch)
                reached = self._advance(repaired, read=page)
        self.progress = reached

    def _hear(self) -> None:
        with self.connection.transaction():
            suppressions.hold(self.connection)
            unheard = latest_facts.unheard(self.connection, self._saying, _PAGE)
            if unheard and not self._plan.dry:
                latest_facts.hear(self.connection, [saying for saying, _ in unheard])
            reached = self._advance([latest_facts.told(saying, was) for saying, was in unheard])
        self.progress = reached
        if unheard:
            self._saying = unheard[-1][0].about
        else:
            self._enter("withdrawals" if self.progress.stage == "sayings" else "chats")

    def _withdraw(self) -> None:
        connection = self.connection
        if self._suspects is None:
            with connection.transaction():
                doubted = retractions.doubt(connection)
            self._suspects = retractions.suspects(connection, self.progress.last_event_id) if doubted else []
        page = self._suspects[: self._plan.size]
        if not page:
            self._enter("chats" if self._plan.dry else "latecomers")
            return
        with connection.transaction():
            suppressions.hold(connection)
            reading = retractions.Reading(page, self._plan.parser, self._refolding.refused)
            wrong = retractions.refuted(connection, reading)
            instead = latest_facts.greatest(connection, [one.about for one in wrong])
            if wrong and not self._plan.dry:
                retractions.withdraw(connection, wrong, instead, reading)
            reached = self._advance([latest_facts.withdrawn(one, instead.get(one.about)) for one in wrong])
        self.progress = reached
        del self._suspects[: self._plan.size]

    def _recount(self) -> None:
        with self.connection.transaction(force_rollback=self._plan.dry):
            suppressions.hold(self.connection)
            shown, differences = summaries.page(self.connection, self._chat, _PAGE)
            reached = self._advance(differences)
        self.progress = reached
        if shown:
            self._chat = shown[-1]
        else:
            self._enter("done")
