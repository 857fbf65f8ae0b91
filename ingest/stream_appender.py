"""Appends batches to the stream: all or none, within a deadline, and never twice through a client's resend."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import redis.exceptions
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import AuthenticationError, BusyLoadingError, RedisError, ResponseError

from ingest.circuit_breaker import CircuitBreaker
from ingest.drain_jobs import DrainJobs
from ingest.errors import NotConfirmedError
from ingest.queue import contract
from ingest.queue.failpoints import Failpoints
from ingest.redis_memory import RedisMemory

APPEND_TIMEOUT_SECONDS = 1.0
"""Seconds within which Redis must confirm; SAK itself gives up after 8."""
REPLICA_WAIT_SHARE = 0.7
"""Share of the deadline for replicas to confirm."""
# fmt: off
REDIS_ERROR_CODES = frozenset({
    "busy", "clusterdown", "loading", "masterdown", "misconf", "noauth", "noperm", "noreplicas", "oom", "readonly",
    "wrongpass", "wrongtype",
})
# fmt: on


class AppendError(NotConfirmedError):
    """Redis did not confirm the batches; the message never holds the URL."""


@dataclass(slots=True)
class StreamAppender:
    """One connection, for one append at a time; concurrent writers have one each."""

    client: Redis
    min_replicas: int
    failpoints: Failpoints
    breaker: CircuitBreaker
    redis_memory: RedisMemory
    drain_jobs: DrainJobs
    _connection: AbstractConnection | None = None

    async def append(self, entries: Sequence[Mapping[bytes, bytes]], size_bytes: int) -> None:
        """Add each batch's fields as an entry, close the circuit, and enqueue a drain job if none is queued.

        After an AppendError the circuit is open, and the next append connects anew.
        """
        sent = False
        try:
            async with asyncio.timeout(APPEND_TIMEOUT_SECONDS):
                connection = await self._ensure_connected()
                self.failpoints.reach("ingest.before_xadd")
                sent = True
                commands = connection.pack_commands(_append_commands(entries))
                await connection.send_packed_command(commands, check_health=False)
                jobs = await self._read_confirmation(connection, len(entries))
                self.failpoints.reach("ingest.after_xadd")
                if self.min_replicas:
                    await self._await_replicas(connection)
        except (TimeoutError, redis.exceptions.TimeoutError):
            raise await self._disconnect_with_error("timeout", may_be_stored=sent) from None
        except (ResponseError, BusyLoadingError, AuthenticationError) as error:
            raise await self._disconnect_with_error(_error_code(error), may_be_stored=False) from None
        except (RedisError, OSError):
            raise await self._disconnect_with_error("unreachable", may_be_stored=sent) from None
        self.breaker.close()
        self.redis_memory.record_append(size_bytes)
        self.drain_jobs.enqueue_if_needed(jobs)

    async def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            await self._connection.disconnect(nowait=True)
            self._connection = None

    async def _ensure_connected(self) -> AbstractConnection:
        connection = self._connection
        if connection is None:
            self._connection = connection = self.client.connection_pool.make_connection()
        await connection.connect()
        if await connection.can_read():
            # Closed by the server while idle, or a stray reply: both need a new connection.
            await connection.disconnect(nowait=True)
            await connection.connect()
        return connection

    async def _read_confirmation(self, connection: AbstractConnection, count: int) -> int:
        """Read the confirmation of so many entries; returns the number of waiting drain jobs."""
        for _ in range(count + 2):
            await connection.read_response()
        *ids, jobs = cast("list[object]", await connection.read_response())
        for reply in ids:
            if isinstance(reply, Exception):
                raise reply
        # The length may fail alone, on a key of another type; the events are safe nevertheless.
        return jobs if isinstance(jobs, int) else 0

    async def _await_replicas(self, connection: AbstractConnection) -> None:
        milliseconds = int(APPEND_TIMEOUT_SECONDS * REPLICA_WAIT_SHARE * 1000)
        await connection.send_command("WAIT", self.min_replicas, milliseconds, check_health=False)
        if cast("int", await connection.read_response()) < self.min_replicas:
            raise await self._disconnect_with_error("replicas", may_be_stored=True)

    async def _disconnect_with_error(self, reason: str, *, may_be_stored: bool) -> AppendError:
        await self.close()
        self.breaker.open(reason)
        return AppendError(reason, may_be_stored=may_be_stored)


def _append_commands(entries: Sequence[Mapping[bytes, bytes]]) -> list[tuple[str | bytes, ...]]:
    appends = [("XADD", contract.STREAM, "*", *(part for pair in entry.items() for part in pair)) for entry in entries]
    return [("MULTI",), *appends, ("LLEN", contract.RQ_QUEUE_KEY), ("EXEC",)]


def _error_code(error: Exception) -> str:
    """Redis' error code; the rest of its message may quote the entry."""
    word = (getattr(error, "status_code", None) or str(error).partition(" ")[0]).lower()
    return word if word in REDIS_ERROR_CODES else "refused"
