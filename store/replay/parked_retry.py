"""Retries what is parked, and nothing else."""

from collections.abc import Sequence

from store.erasure import suppressions
from store.postgres import errors
from store.postgres.connections import Connection
from store.postgres.errors import PermanentError
from store.replay import latest_facts, sources
from store.replay.latest_facts import LatestFact
from store.replay.refolding import Refolder
from store.replay.replay import ReplayPlan
from store.replay.report import ReplayReport, not_yet_counted
from store.replay.sources import SourceEvent


class ParkedRetry:
    """One retry of all that is parked, or of all that is parked for one reason; `step` until nothing is left."""

    def __init__(
        self,
        connection: Connection,
        plan: ReplayPlan,
        *,
        reason: str | None = None,
        event_ids: Sequence[int] | None = None,
    ) -> None:
        """`events`: those and no others."""
        self.connection = connection
        self.report = ReplayReport()
        self._plan = plan
        self._refolder = Refolder(plan.parser, plan.own_phone, set())
        with errors.translated():
            self._remaining = sources.parked_event_ids(connection, reason) if event_ids is None else list(event_ids)
        self.total = len(self._remaining)

    def reconnect(self, connection: Connection) -> None:
        """Take another of `replay.open`, as the last broke."""
        self.connection = connection

    @property
    def progress_text(self) -> str:
        """How far it is, in words."""
        return f"{self.total - len(self._remaining):,} of {self.total:,} parked events"

    def step(self) -> bool:
        """Retry the next few; returns whether there is more to do. Raises TransientError: the same step again."""
        with errors.translated():
            page = sources.first_within_limit(self.connection, self._remaining[: self._plan.batch_size])
            if not page:
                # Pruned meanwhile.
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
        told = found.describe()
        if found.differs and not self._plan.dry_run:
            understood = [source for source in found.reclassified if source.outcome.kind != "parked"]
            # First, and apart: interrupted before they are off the list, it is said again, which changes nothing.
            with connection.transaction():
                latest_facts.apply(connection, _unsuppressed_facts(connection, understood))
            with connection.transaction():
                suppressions.lock_shared(connection)
                told = self._refolder.repair(connection, found, "replay of what was parked")
        with connection.transaction():
            self.report.add(not_yet_counted(connection, told))


def _unsuppressed_facts(connection: Connection, reclassified: Sequence[SourceEvent]) -> list[LatestFact]:
    """What they say, but for those that were forgotten since they were read; nobody more is for now."""
    suppressions.lock_shared(connection)
    found = connection.execute(
        "SELECT d.digest FROM event_digests AS d WHERE d.digest = ANY(%s) AND d.outcome <> 'forgotten'",
        [[source.digest for source in reclassified]],
        binary=True,
    )
    kept = {digest for (digest,) in found}
    return [saying for source in reclassified if source.digest in kept for saying in latest_facts.extract(source)]
