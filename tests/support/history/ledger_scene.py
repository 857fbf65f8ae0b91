"""Provides a ledger whose times the test controls."""

from dataclasses import dataclass, field
from typing import Any, LiteralString
from uuid import uuid4

from store.ledger import ledger, stream_status
from store.ledger.ledger import Ledger
from store.ledger.writers import Heartbeat
from store.postgres.connections import Connection

AGE_BATCHES: LiteralString = "UPDATE batches SET committed_at = committed_at - make_interval(secs => %(seconds)s)"
AGE_WRITERS: LiteralString = """
    UPDATE writers
    SET seen_at = seen_at - make_interval(secs => %(seconds)s),
        heartbeat_at = heartbeat_at - make_interval(secs => %(seconds)s),
        advanced_at = advanced_at - make_interval(secs => %(seconds)s),
        spooled_at = spooled_at - make_interval(secs => %(seconds)s),
        ended_at = ended_at - make_interval(secs => %(seconds)s)
"""
AGE_STREAM: LiteralString = "UPDATE stream_status SET as_of = as_of - make_interval(secs => %(seconds)s)"


@dataclass(slots=True)
class LedgerScene:
    """A database with the batches that a worker stored and the states of the stream that it observed."""

    connection: Connection
    writer: str = field(default_factory=lambda: uuid4().hex)
    beats: int = 0

    def store(self, number: int, *, events: int = 10) -> None:
        """Store a batch of the writer, whose batches all have `events` events."""
        self.connection.execute(
            "INSERT INTO batches (writer, number, size, upto, stored) VALUES (%s, %s, %s, %s, %s)",
            [self.writer, number, events, number * events, events],
        )

    def observe(self, *heartbeats: Heartbeat, waiting: int = 0, oldest_ago: float | None = None, **more: Any) -> None:  # noqa: ANN401 - as record has them
        """Record that `waiting` entries wait in the stream, the oldest of them for `oldest_ago` seconds."""
        row = self.connection.execute("SELECT extract(epoch FROM now())::float8").fetchone()
        assert row is not None
        oldest = None if oldest_ago is None else int((float(str(row[0])) - oldest_ago) * 1000)
        stream_status.record(
            self.connection,
            stream_length=waiting,
            oldest_received_at=oldest,
            positions=(),
            heartbeats=heartbeats,
            **more,
        )

    def heartbeat(self, number: int, *, spooled: int = 0, ended: bool = False, events: int = 10) -> Heartbeat:
        """Return a new heartbeat of the writer."""
        self.beats += 1
        return Heartbeat(self.writer, self.beats, number, number * events, spooled, "ingest-a", ended)

    def age(self, seconds: float) -> None:
        """Make everything `seconds` older."""
        for statement in (AGE_BATCHES, AGE_WRITERS, AGE_STREAM):
            self.connection.execute(statement, {"seconds": seconds})

    def read(self) -> Ledger:
        return ledger.read(self.connection)

    def lost(self) -> list[tuple[int, int, int]]:
        """Return the first number, the last number and the number of events of each loss."""
        return [(gap.first, gap.last, gap.events) for gap in self.read().lost]

    def unknown(self) -> list[str]:
        return [question.kind for question in self.read().unknown]
