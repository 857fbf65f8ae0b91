"""Retries what is parked, and nothing else."""

from collections.abc import Sequence

from store.erasure import suppressions
from store.postgres import errors
from store.postgres.connections import Connection
from store.postgres.errors import PermanentError
from store.replay import latest_facts, sources
from store.replay.latest_facts import Saying
from store.replay.refolding import Refolding
from store.replay.replay import Plan
from store.replay.report import Report, uncounted
from store.replay.sources import Source


class Redrive:
    """One retry of all that is parked, or of all that is parked for one reason; `step` until nothing is left."""

    def __init__(
        self, connection: Connection, plan: Plan, *, reason: str | None = None, events: Sequence[int] | None = None
    ) -> None:
        """`events`: those and no others."""
        self.connection = connection
        self.report = Report()
        self._plan = plan
        self._refolding = Refolding(plan.parser, plan.own_phone, set())
        with errors.translated():
            self._left = sources.parked(connection, reason) if events is None else list(events)
        self.target = len(self._left)

    def go_on(self, connection: Connection) -> None:
        """Take another of `replay.open`, as the last broke."""
        self.connection = connection

    @property
    def where(self) -> str:
        """How far it is, in words."""
        return f"{self.target - len(self._left):,} of {self.target:,} parked events"

    def step(self) -> bool:
        """Retry the next few; returns whether there is more to do. Raises TransientError: the same step again."""
        with errors.translated():
            page = sources.fitting(self.connection, self._left[: self._plan.size])
            if not page:
                # Pruned meanwhile.
                del self._left[: self._plan.size]
                return bool(self._left)
            try:
                with errors.translated():
                    self._retry(page)
            except PermanentError:
                if not self._refolding.refuse(self.connection, page):
                    raise
                return True
        self._left = [event_id for event_id in self._left if event_id > page[-1]]
        self.report.events += len(page)
        return bool(self._left)

    def _retry(self, page: Sequence[int]) -> None:
        connection = self.connection
        with connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            found = self._refolding.compare(connection, page, None)
        told = found.told()
        if found.differs and not self._plan.dry:
            understood = [source for source in found.events if source.outcome.kind != "parked"]
            # First, and apart: interrupted before they are off the list, it is said again, which changes nothing.
            with connection.transaction():
                latest_facts.hear(connection, _still(connection, understood))
            with connection.transaction():
                suppressions.hold(connection)
                told = self._refolding.repair(connection, found, "replay of what was parked")
        with connection.transaction():
            self.report.add(uncounted(connection, told))


def _still(connection: Connection, understood: Sequence[Source]) -> list[Saying]:
    """What they say, but for those that were forgotten since they were read; nobody more is for now."""
    suppressions.hold(connection)
    found = connection.execute(
        "SELECT d.digest FROM digests AS d WHERE d.digest = ANY(%s) AND d.outcome <> 'forgotten'",
        [[source.digest for source in understood]],
        binary=True,
    )
    kept = {digest for (digest,) in found}
    return [saying for source in understood if source.digest in kept for saying in latest_facts.said(source)]
