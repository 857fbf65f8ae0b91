"""Records in Redis which database stores the stream's events, and detects another database or one that lost commits.

After a promotion, a restore or the return of an older snapshot, PostgreSQL may lack commits whose entries are still
kept in the stream. Then the consumer group restarts at the first entry, and batches that survived are skipped by writer
and number.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from redis.client import Pipeline
from redis.exceptions import WatchError

from ingest.queue.contract import CONSUMER_GROUP, DATABASE, STREAM
from store.feed import database_identity
from store.feed.database_identity import DatabaseIdentity
from store.postgres.connections import Connection
from store.postgres.errors import TransientError
from worker.drain import known_batches
from worker.drain.stream import StreamConsumer

log = logging.getLogger("worker.drain")

IN_USE = f"{DATABASE}:in-use"
"""The generation that workers use, and the last worker that reported it. Expires."""
IN_USE_MS = 5_000
"""The time in ms without use by a worker after which a database may be replaced by another copy of it."""
MAX_PAST = 50
"""The number of earlier generations that are remembered."""
ADOPT = "python -m worker adopt --yes"


class DatabaseRefusedError(TransientError):
    """The database does not store this stream's events. The message says what to do."""


@dataclass(frozen=True, slots=True)
class Marker:
    """The state of the database when workers last recorded it."""

    database_id: str
    generation: str
    timeline: str | None
    lsn: int | None
    last_ids: Mapping[str, int]
    past: tuple[str, ...]
    """Earlier generations."""

    @classmethod
    def from_fields(cls, fields: Mapping[bytes, bytes]) -> "Marker | None":
        """Return the marker, or None if there are no fields or if another program wrote them."""
        try:
            lsn, timeline = fields[b"lsn"], fields[b"timeline"]
            last_ids = cast("dict[str, int]", json.loads(fields[b"last_ids"]))
            return cls(
                fields[b"database_id"].decode(),
                fields[b"generation"].decode(),
                timeline.decode() or None,
                int(lsn) if lsn else None,
                {name: int(value) for name, value in last_ids.items()},
                tuple(fields[b"past"].decode().split()),
            )
        except (KeyError, ValueError, AttributeError):
            return None

    @classmethod
    def of(cls, identity: DatabaseIdentity, previous: "Marker | None") -> "Marker":
        """Return the marker to write. Ids never decrease, and log positions decrease only in another generation."""
        lsn, last_ids, past = identity.flushed_lsn, dict(identity.last_ids), ()
        if previous is not None:
            past = previous.past
            for name, value in previous.last_ids.items():
                last_ids[name] = max(value, last_ids.get(name, 0))
            if previous.generation != identity.generation:
                past = (*past, previous.generation)[-MAX_PAST:]
            elif lsn is not None:
                lsn = max(lsn, previous.lsn or 0)
        return cls(identity.database_id, identity.generation, identity.timeline, lsn, last_ids, past)

    def to_fields(self) -> dict[str, str]:
        return {
            "database_id": self.database_id,
            "generation": self.generation,
            "timeline": self.timeline or "",
            "lsn": "" if self.lsn is None else str(self.lsn),
            "last_ids": json.dumps(self.last_ids),
            "past": " ".join(self.past),
        }

    def may_lack_commits(self, identity: DatabaseIdentity) -> bool:
        """Return whether the database may lack commits that it had when the marker was written."""
        if identity.generation != self.generation:
            return True
        if identity.timeline is None or self.timeline is None:
            return False
        if identity.timeline != self.timeline:
            return True
        return self.lsn is not None and identity.written_lsn is not None and identity.written_lsn < self.lsn

    def is_left_behind(self, identity: DatabaseIdentity) -> bool:
        """Return whether another copy was promoted, so that the database is on an earlier timeline and generation."""
        is_earlier = self.timeline is not None and identity.timeline is not None and identity.timeline < self.timeline
        return is_earlier and identity.generation in self.past


class DatabaseMarker:
    """One worker's access to the marker in Redis."""

    def __init__(self, stream: StreamConsumer) -> None:
        self._stream = stream
        self._redis = stream.redis
        self._reports_position = True
        self.generation: str | None = None
        """The generation of the database as it was last verified."""

    def load(self) -> Marker | None:
        """Return the marker, or None before the first worker."""
        return Marker.from_fields(cast("dict[bytes, bytes]", self._redis.hgetall(DATABASE)))

    def read_identity(self, connection: Connection) -> DatabaseIdentity:
        """Return the identity of the database, without its position if the server does not report that."""
        if self._reports_position:
            try:
                return database_identity.read(connection)
            except database_identity.PositionUnknownError as error:
                log.warning("%s: the server does not report its timeline, so promotions are not detected", error)
                self._reports_position = False
        return database_identity.read(connection, with_position=False)

    def verify(self, connection: Connection, *, is_new: bool = True) -> None:
        """Compare the database with the marker and update the marker. Call this every second.

        The marker is up to a second old. A new connection may reach a database that lost the commits of that second, so
        the newest acknowledged entries of the stream are compared as well.

        If the database may lack commits, workers apply everything in the stream again. Raises DatabaseRefusedError,
        TransientError and RedisError, after which nothing may be stored.
        """
        with self._redis.pipeline(transaction=True) as pipe:  # pyright: ignore[reportUnknownMemberType] - shard_hint
            # The marker is read before the database, because positions and ids only grow.
            pipe.watch(DATABASE)
            marker = Marker.from_fields(cast("dict[bytes, bytes]", pipe.hgetall(DATABASE)))
            identity = self.read_identity(connection)
            if marker is not None and marker.database_id != identity.database_id:
                raise DatabaseRefusedError(
                    "Redis has the events of another database. Correct DATABASE_URL or REDIS_URL; to store the events"
                    f" that are in Redis here, run `{ADOPT}`."
                )
            again = False
            if marker is not None and (
                marker.may_lack_commits(identity)
                or (is_new and known_batches.is_acknowledged_missing(self._stream, connection))
            ):
                again = True
                self._require_unused(cast("bytes | None", pipe.get(IN_USE)), marker, identity)
                self._stream.ensure_group()
                database_identity.continue_after(connection, (marker.generation, *marker.past), marker.last_ids)
                identity = self.read_identity(connection)
            is_written = self._write(pipe, identity, marker, again=again)
        self.generation = identity.generation
        if marker is None or again:
            if not is_written:
                raise TransientError("Another worker compares Redis with the database at the same time.")
            _log_start(identity, marker)

    def adopt(self, connection: Connection) -> None:
        """Make this database the one that stores the stream's events, and apply everything in the stream to it."""
        marker = self.load()
        generation = self.read_identity(connection).generation
        database_identity.continue_after(connection, [generation], {} if marker is None else marker.last_ids)
        identity = self.read_identity(connection)
        self._stream.ensure_group()
        if marker is not None and marker.database_id != identity.database_id:
            marker = None
        with self._redis.pipeline(transaction=True) as pipe:  # pyright: ignore[reportUnknownMemberType] - shard_hint
            self._write(pipe, identity, marker, again=True)

    def _require_unused(self, used: bytes | None, marker: Marker, identity: DatabaseIdentity) -> None:
        if marker.is_left_behind(identity):
            raise DatabaseRefusedError(
                "Another copy of this database was promoted since. Correct DATABASE_URL; to continue with this copy"
                f" instead, run `{ADOPT}`."
            )
        if used is not None and used != self._usage(marker.generation).encode():
            raise DatabaseRefusedError(
                f"Workers use another copy of this database. Waiting until none has used it for {IN_USE_MS // 1000} s."
            )

    def _write(self, pipe: Pipeline, identity: DatabaseIdentity, previous: Marker | None, *, again: bool) -> bool:
        """Write the marker and, with `again`, restart the consumer group at the first entry, atomically.

        Return False if another worker wrote the marker in the meantime.
        """
        fields: dict[Any, Any] = dict(Marker.of(identity, previous).to_fields())
        pipe.multi()
        pipe.hset(DATABASE, mapping=fields)
        pipe.set(IN_USE, self._usage(identity.generation), px=IN_USE_MS)
        if again:
            pipe.xgroup_setid(STREAM, CONSUMER_GROUP, "0")
        try:
            pipe.execute()
        except WatchError:
            return False
        return True

    def _usage(self, generation: str) -> str:
        return f"{generation} {self._stream.consumer_name}"


def _log_start(identity: DatabaseIdentity, previous: Marker | None) -> None:
    if previous is None:
        log.info("the events of the stream go to the database %s", identity.database_id)
    else:
        log.warning(
            "PostgreSQL may lack commits (timeline %s after %s): applying everything in the stream again",
            identity.timeline,
            previous.timeline,
        )
