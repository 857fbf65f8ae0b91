"""Appends batches to the stream: all or none, within a deadline, and never twice because of a client's resend."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import redis.exceptions
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import AuthenticationError, BusyLoadingError, RedisError, ResponseError

from ingest.errors import NotConfirmedError
from ingest.queue import contract, entry_ids
from ingest.queue.contract import EntryFields
from ingest.queue.entry_ids import EntryId
from ingest.queue.failpoints import Failpoints
from ingest.stream.circuit_breaker import CircuitBreaker
from ingest.stream.drain_jobs import DrainJobs
from ingest.stream.redis_memory import RedisMemory
from ingest.tail.tail import Tail
from ingest.tail.tail_file import Written

ACKNOWLEDGEMENT_SECONDS = 1.0
"""The time in seconds within which Redis must confirm a batch for which senders wait. SAK itself gives up after 8."""
REDELIVERY_SECONDS = 5.0
"""The time in seconds within which Redis must confirm a batch for which nobody waits. Resending a batch after a slow
confirmation would make Redis even slower.
"""
REPLICA_WAIT_SHARE = 0.7
"""The share of the deadline that replicas have to confirm."""
ANOTHER_REDIS = "another_redis"
"""The reason why the circuit is open while the tail is sent again."""
# fmt: off
REDIS_ERROR_CODES = frozenset({
    "busy", "clusterdown", "loading", "masterdown", "misconf", "noauth", "noperm", "noreplicas", "oom", "readonly",
    "wrongpass", "wrongtype",
})
# fmt: on


class AppendError(NotConfirmedError):
    """Redis did not confirm the batches. The message never contains the URL."""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The response of Redis to an append."""

    redis_number: int
    """The number of the Redis that confirmed it, as in RedisIdentity."""
    last_id: EntryId
    """The id of the last entry."""


@dataclass(slots=True)
class StreamAppender:
    """A connection for one append at a time. Concurrent writers have one each."""

    client: Redis
    timeout_seconds: float
    """The time in seconds within which Redis must confirm."""
    min_replicas: int
    failpoints: Failpoints
    breaker: CircuitBreaker
    redis_memory: RedisMemory
    drain_jobs: DrainJobs
    tail: Tail
    _connection: AbstractConnection | None = None
    _redis_number: int = 0
    """The number of the Redis that the connection reaches, or 0 before the first connection."""
    _suspicions: int = 0

    async def append(
        self, entries: Sequence[EntryFields], events: int, size_bytes: int, *, is_in_tail: bool = False
    ) -> Confirmation:
        """Add each batch's fields as an entry, and enqueue a drain job if none is queued.

        The tail remembers the batches unless it already has them. The circuit is closed afterwards, unless the tail
        must be sent again first. After an AppendError it is open, and the next append reconnects.
        """
        sent = False
        written: Written | None = None
        try:
            async with asyncio.timeout(self.timeout_seconds):
                connection = await self._ensure_connected()
                self.failpoints.reach("ingest.before_xadd")
                sent = True
                commands = connection.pack_commands(_append_commands(entries))
                await connection.send_packed_command(commands, check_health=False)
                if not is_in_tail:  # while Redis is working
                    written = self.tail.write(entries, size_bytes)
                last_id, jobs = await self._read_confirmation(connection, len(entries))
                self.failpoints.reach("ingest.after_xadd")
                if self.min_replicas:
                    await self._await_replicas(connection)
        except (TimeoutError, redis.exceptions.TimeoutError):
            raise await self._disconnect_with_error("timeout", may_be_stored=sent) from None
        except (ResponseError, BusyLoadingError, AuthenticationError) as error:
            # Redis does not have the batches, but a file of the tail may.
            raise await self._disconnect_with_error(_error_code(error), may_be_stored=written is not None) from None
        except (RedisError, OSError):
            raise await self._disconnect_with_error("unreachable", may_be_stored=sent) from None
        if not is_in_tail:
            await self.tail.add(written, entries, events, size_bytes, self._redis_number)
        if self.tail.has_due:
            self.breaker.hold_open(ANOTHER_REDIS)
        else:
            self.breaker.close()
        self.redis_memory.record_append(size_bytes)
        self.drain_jobs.enqueue_if_needed(jobs)
        return Confirmation(self._redis_number, last_id)

    async def verify(self) -> None:
        """Connect, and open the circuit if Redis is another server that lacks the tail.

        Raises RedisError and OSError.
        """
        try:
            async with asyncio.timeout(self.timeout_seconds):
                await self._ensure_connected()
        except (RedisError, OSError):
            await self.close()
            raise
        if self.tail.has_due:
            self.breaker.hold_open(ANOTHER_REDIS)

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.disconnect(nowait=True)
            self._connection = None

    async def _ensure_connected(self) -> AbstractConnection:
        connection = self._connection
        if connection is None:
            self._connection = connection = self.client.connection_pool.make_connection()
        if self._redis_number != self.tail.identity.redis_number and connection.is_connected:
            # Another connection has found another Redis, and this connection may still reach the old one.
            await connection.disconnect(nowait=True)
        is_new = not connection.is_connected
        await connection.connect()
        if await connection.can_read():
            # The server has closed the idle connection, or sent a stray reply. Both require a new connection.
            await connection.disconnect(nowait=True)
            await connection.connect()
            is_new = True
        if is_new or self._suspicions != self.tail.identity.suspicions:
            self._suspicions = self.tail.identity.suspicions
            self._redis_number = await self.tail.identity.identify(connection, self._redis_number)
        return connection

    async def _read_confirmation(self, connection: AbstractConnection, count: int) -> tuple[EntryId, int]:
        """Read the confirmation of `count` entries. Return the id of the last one and the number of waiting jobs."""
        for _ in range(count + 2):
            await connection.read_response()
        *ids, jobs = cast("list[object]", await connection.read_response())
        for reply in ids:
            if isinstance(reply, Exception):
                raise reply
        last_id = entry_ids.parse(cast("bytes", ids[-1]))
        self.tail.identity.confirm(self._redis_number, last_id)
        # Reading the length may fail alone, on a key of another type. The events are safe nevertheless.
        return last_id, jobs if isinstance(jobs, int) else 0

    async def _await_replicas(self, connection: AbstractConnection) -> None:
        milliseconds = int(self.timeout_seconds * REPLICA_WAIT_SHARE * 1000)
        await connection.send_command("WAIT", self.min_replicas, milliseconds, check_health=False)
        if cast("int", await connection.read_response()) < self.min_replicas:
            raise await self._disconnect_with_error("replicas", may_be_stored=True)

    async def _disconnect_with_error(self, reason: str, *, may_be_stored: bool) -> AppendError:
        await self.close()
        self.tail.identity.revoke_proof()
        self.breaker.open(reason)
        return AppendError(reason, may_be_stored=may_be_stored)


def _append_commands(entries: Sequence[EntryFields]) -> list[tuple[str | bytes, ...]]:
    appends = [("XADD", contract.STREAM, "*", *(part for pair in entry.items() for part in pair)) for entry in entries]
    return [("MULTI",), *appends, ("LLEN", contract.RQ_QUEUE_KEY), ("EXEC",)]


def _error_code(error: Exception) -> str:
    """Return Redis' error code. The rest of its message may quote the entry."""
    word = (getattr(error, "status_code", None) or str(error).partition(" ")[0]).lower()
    return word if word in REDIS_ERROR_CODES else "refused"
