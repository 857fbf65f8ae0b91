"""Retries parked events with the current parser; events that it understands are stored and leave the list."""

from collections.abc import Sequence

from store.erasure import suppressions
from store.postgres import errors
from store.postgres.connections import Connection
from store.postgres.errors import PermanentError
from store.replay import latest_facts, sources
from store.replay.refolding import Refolder
from store.replay.replay import ReplayPlan
from store.replay.report import ReplayReport, not_yet_counted


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
                latest_facts.apply_missing(connection, latest_facts.extract_latest(understood).values())
            with connection.transaction():
                suppressions.lock_shared(connection)
                differences = self._refolder.repair(connection, found, "retry of parked events")
        with connection.transaction():
            self.report.add(not_yet_counted(connection, differences))
