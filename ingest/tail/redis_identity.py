"""Detects that Redis is another server, or has lost data that it had confirmed."""

import logging
import math
import re
import time
from dataclasses import dataclass
from typing import cast

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ResponseError

from ingest.queue import contract, entry_ids
from ingest.queue.entry_ids import EntryId

PROOF_SECONDS = 3.0
"""The time in seconds after which a proof that the heartbeat did not repeat no longer holds."""

log = logging.getLogger("ingest")


@dataclass(frozen=True, slots=True)
class RedisState:
    """The state of Redis, read over one connection."""

    run_id: str | None
    """The id of one run of one server, or None if the user may not use INFO."""
    role: str
    replication_id: str
    """The id of one history of writes."""
    offset: int
    """The position in that history in bytes."""
    last_id: EntryId | None
    """The newest id that the stream has ever assigned, or None if the user may not query it."""

    def continues(self, earlier: "RedisState") -> bool:
        """Return whether this is the same Redis and it still has all its data."""
        names = (self.run_id, self.role, self.replication_id)
        same = names == (earlier.run_id, earlier.role, earlier.replication_id)
        return self.run_id is not None and same and self.offset >= earlier.offset


class RedisIdentity:
    """The Redis that this process uses, as observed on all its connections."""

    def __init__(self) -> None:
        self.redis_number = 1
        """The number of this Redis among those used, from 1. A server that went back in time counts as another."""
        self.suspicions = 0
        """The number of hints that Redis may be another server. After each, connections check before they append."""
        self.seen_at = 0.0
        """The time when this Redis was last known to be there, by the monotonic clock."""
        self.committed_before: EntryId = (0, 0)
        """The id below which workers have stored all entries of this Redis."""
        self.proven_until = -math.inf
        """The time, by the monotonic clock, until which a reply of this Redis proves that the batch is on its disk."""
        self._state: RedisState | None = None
        self._confirmed_id: EntryId = (0, 0)
        self._has_lost_report = False

    def confirm(self, redis_number: int, entry_id: EntryId) -> None:
        """Record that Redis has confirmed an entry, unless the connection led to an earlier Redis."""
        if redis_number == self.redis_number:
            self._confirmed_id = max(self._confirmed_id, entry_id)
            self.seen_at = time.monotonic()

    def revoke_proof(self) -> None:
        """Require a file for each batch until the next heartbeat finds that replies prove a sync."""
        self.proven_until = -math.inf

    def observe(
        self,
        run_id: str | None,
        *,
        has_lost_report: bool,
        asked_at: float,
        committed_before: EntryId = (0, 0),
        is_synced: bool = False,
    ) -> None:
        """Record the findings of the heartbeat that was sent at `asked_at`.

        `has_lost_report` is set if Redis has lost the previous report, `is_synced` if it replies only after its sync.
        """
        self.revoke_proof()
        if self._state is None:
            return
        if has_lost_report or run_id != self._state.run_id:
            self._has_lost_report = self._has_lost_report or has_lost_report
            self.suspicions += 1
        else:
            self.seen_at = max(self.seen_at, asked_at)
            self.committed_before = committed_before if run_id is not None else (0, 0)
            if is_synced and run_id is not None:
                self.proven_until = asked_at + PROOF_SECONDS

    async def identify(self, connection: AbstractConnection, redis_number: int) -> int:
        """Compare the connection's Redis with the known one. Return the number of the connection's Redis.

        `redis_number` is the one that the caller knew before it connected. Raises RedisError.
        """
        self.revoke_proof()
        before, confirmed_id = self.redis_number, self._confirmed_id
        state = await _read_state(connection)
        went_back = before == self.redis_number and state.last_id is not None and state.last_id < confirmed_id
        # If INFO is not permitted, every new connection counts as one to another Redis, unless a connection has counted
        # that Redis already.
        is_counted = state.run_id is None and redis_number != self.redis_number
        is_same = is_counted or (state.continues(self._state) if self._state else True)
        if is_same and not went_back and not self._has_lost_report:
            self.seen_at = time.monotonic()
        else:
            self.redis_number += 1
            self._confirmed_id = state.last_id or (0, 0)
            self.committed_before = (0, 0)
            log.warning("Redis is another server than before, or has lost data: resending the newest events")
        self._state, self._has_lost_report = state, False
        return self.redis_number


async def _read_state(connection: AbstractConnection) -> RedisState:
    """Return the state of the Redis that the connection reaches. Raises RedisError."""
    commands = [("INFO", "server"), ("INFO", "replication"), ("XINFO", "STREAM", contract.STREAM)]
    await connection.send_packed_command(connection.pack_commands(commands), check_health=False)
    replies: list[object] = []
    for _ in commands:
        try:
            replies.append(cast("object", await connection.read_response()))
        except ResponseError as error:
            replies.append(error)
    server, replication, stream = replies
    fields = _parse_info(server) | _parse_info(replication)
    offset = fields.get("master_repl_offset", "0")
    return RedisState(
        run_id=fields.get("run_id"),
        role=fields.get("role", ""),
        replication_id=fields.get("master_replid", ""),
        offset=int(offset) if offset.isdecimal() else 0,
        last_id=_parse_last_id(stream),
    )


def _parse_info(reply: object) -> dict[str, str]:
    if not isinstance(reply, bytes):
        return {}
    return dict(re.findall(r"^(\w+):([^\r\n]*)\r?$", reply.decode(errors="replace"), re.MULTILINE))


def _parse_last_id(reply: object) -> EntryId | None:
    if isinstance(reply, ResponseError):
        return (0, 0) if "no such key" in str(reply) else None
    facts = cast("list[object]", reply)
    return entry_ids.parse(cast("bytes", facts[facts.index(b"last-generated-id") + 1]))
