"""Lists the places that could not be checked and may hold acknowledged events, so that the ledger is not exact."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Literal, TypeAlias, cast
from uuid import UUID

from store.ledger.losses import SILENT_AFTER
from store.postgres.connections import Connection

Kind: TypeAlias = Literal["no_worker", "silent_writer", "spooled_events", "unreadable_entries"]


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """A place that may hold acknowledged events and did not answer."""

    kind: Kind
    message: str
    remedy: str
    writer: str | None = None
    host: str | None = None
    """The host of the writer, if known."""
    count: int = 0
    """The number of events in the writer's spool as last reported, or of entries that are set aside."""
    since: datetime | None = None
    """The time of the last answer."""

    def document(self) -> dict[str, object]:
        """Return the question as a JSON object."""
        return {**asdict(self), "since": None if self.since is None else self.since.isoformat()}


def no_worker(as_of: datetime | None) -> OpenQuestion:
    """Return the open question for the case that no worker runs."""
    message = "No worker has ever read the stream."
    if as_of is not None:
        message = f"No worker has read the stream since {_time(as_of)}."
    return OpenQuestion("no_worker", message, "Start a worker: only a running one knows the stream.", since=as_of)


def find(connection: Connection) -> Sequence[OpenQuestion]:
    """Return the open questions in the snapshot of the caller's transaction, for the case that a worker runs."""
    return [*_unreadable_entries(connection), *_writers(connection)]


def _unreadable_entries(connection: Connection) -> Sequence[OpenQuestion]:
    row = connection.execute("SELECT p.unreadable FROM stream_status AS p").fetchone()
    entries = 0 if row is None else cast("int", row[0])
    if not entries:
        return []
    message = f"{entries} entries of the stream are set aside, because no worker could read them."
    remedy = "Start a worker of the newest version, which reads them again."
    return [OpenQuestion("unreadable_entries", message, remedy, count=entries)]


def _writers(connection: Connection) -> Sequence[OpenQuestion]:
    """Return the writers that are silent and have not ended. If they send no heartbeats, only those with a spool."""
    rows = connection.execute(
        """
        SELECT w.writer, w.host, w.spooled, coalesce(w.heartbeat_at, w.seen_at), w.heartbeat_at IS NOT NULL
        FROM writers AS w
        CROSS JOIN stream_status AS p
        WHERE w.ended_at IS NULL
            AND coalesce(w.heartbeat_at < p.as_of - make_interval(secs => %(silence)s), w.spooled > 0)
        ORDER BY 4, w.writer
        """,
        {"silence": SILENT_AFTER},
    ).fetchall()
    return [
        _writer(cast("UUID", writer).hex, *cast("tuple[str | None, int, datetime, bool]", values))
        for writer, *values in rows
    ]


def _writer(writer: str, host: str | None, spooled: int, since: datetime, has_heartbeat: bool) -> OpenQuestion:  # noqa: FBT001 - a row
    where = "" if host is None else f" on host {host}"
    spool = f" with {spooled} events in its spool" if spooled else ""
    message = f"Writer {writer}{where} has not reported since {_time(since)}{spool}, and did not end."
    remedy = (
        "Start an ingest with its SPOOL_DIR, or, if that is gone, run"
        f" `python -m store ledger --accept-end {writer} --reason …`."
    )
    kind = "silent_writer" if has_heartbeat else "spooled_events"
    return OpenQuestion(kind, message, remedy, writer, host, spooled, since)


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
