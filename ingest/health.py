"""Serves `/healthz` and `/readyz`, which report liveness and whether acknowledged events are safe."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError
from starlette.requests import Request
from starlette.responses import JSONResponse

from ingest.heartbeat import HeartbeatSender
from ingest.queue import contract, redis_rules
from ingest.settings import Settings
from ingest.spool.spool import Spool
from ingest.stream.circuit_breaker import CircuitBreaker
from ingest.stream.redis_memory import RedisMemory
from ingest.tail.tail import Tail

PING_TIMEOUT_SECONDS = 1.0
SPOOL_HIGH_WATER = 0.8
"""The share of SPOOL_MAX_BYTES above which the spool counts as nearly full."""
EPHEMERAL_FILE_SYSTEMS = frozenset({"tmpfs", "ramfs", "overlay"})
"""File systems that are empty after a new container or a restart of the host."""


@dataclass(frozen=True, slots=True)
class Health:
    settings: Settings
    client: Redis
    spool: Spool
    breaker: CircuitBreaker
    redis_memory: RedisMemory
    tail: Tail
    heartbeat: HeartbeatSender

    async def liveness(self, _: Request) -> JSONResponse:
        """Respond with 200 as long as the event loop runs."""
        return JSONResponse({"alive": True})

    async def readiness(self, _: Request) -> JSONResponse:
        """Respond with 200 if an event acknowledged now is safe, otherwise with 503 and `reasons`.

        `notes` are for operators.
        """
        reasons: list[str] = []
        notes: list[str] = []
        spool = self.spool
        redis = await self._redis_state(reasons, notes)
        if spool.unusable_reason is not None:
            notes.append(f"SPOOL_DIR cannot be used ({spool.unusable_reason}): without Redis, webhooks are refused.")
            if not redis["reachable"]:
                reasons.append("Neither Redis nor the spool can store events.")
        elif spool.size_bytes > SPOOL_HIGH_WATER * spool.max_bytes:
            notes.append("The spool is nearly full (SPOOL_MAX_BYTES).")
        for name, why in spool.unopened_files.items():
            notes.append(f"The spool file {name} of an earlier process cannot be opened ({why}): its events wait.")
        kind = await asyncio.to_thread(_file_system_type, self.settings.spool_dir)
        if kind in EPHEMERAL_FILE_SYSTEMS:
            notes.append(f"SPOOL_DIR is on {kind}, which is lost with this container or host.")
        tail = self.tail
        if tail.file_problem is not None:
            notes.append(f"The tail is in memory only ({tail.file_problem}): it does not survive ingest.")
        if tail.covered_seconds < tail.seconds:
            notes.append(f"The tail covers {tail.covered_seconds:.1f} s of {tail.seconds} s (TAIL_MAX_BYTES).")
        if self.heartbeat.is_forbidden:
            notes.append(
                f"The Redis user may not write {contract.WRITERS}, so the ledger cannot see that ingest is running."
            )
        if self.settings.allow_unsigned:
            notes.append("WEBHOOK_ALLOW_UNSIGNED is set: anyone who can reach this server can write messages.")
        body = {
            "ready": not reasons,
            "reasons": reasons,
            "notes": notes,
            "redis": redis,
            "spool": {
                "usable": spool.unusable_reason is None,
                "events": spool.events,
                "bytes": spool.size_bytes,
                "max_bytes": spool.max_bytes,
            },
            "tail": {
                "seconds": tail.seconds,
                "covered_seconds": round(tail.covered_seconds, 1),
                "bytes": tail.size_bytes,
                "max_bytes": tail.max_bytes,
                "due_events": tail.due_events,
                "in_files": tail.file_problem is None,
                "proven_by_redis": tail.is_proven_by_redis,
            },
            "signatures": not self.settings.allow_unsigned,
        }
        return JSONResponse(body, 503 if reasons else 200)

    async def _redis_state(self, reasons: list[str], notes: list[str]) -> dict[str, object]:
        state: dict[str, object] = {
            "reachable": False,
            "taking_events": self.breaker.open_reason is None and not self.redis_memory.is_full,
            "refusal": self.breaker.open_reason,
            "memory_share": round(self.redis_memory.used_share, 3),
        }
        if self.redis_memory.is_full:
            notes.append("Redis is nearly full: new events go to the spool until workers have made room.")
        elif self.breaker.open_reason is not None:
            notes.append(f"Redis does not confirm ({self.breaker.open_reason}): new events go to the spool.")
        try:
            async with asyncio.timeout(PING_TIMEOUT_SECONDS):
                await self.client.ping()  # pyright: ignore[reportUnknownMemberType, reportGeneralTypeIssues] - **kwargs
                state["reachable"] = True
                state |= await self._read_durability(reasons)
        except ResponseError:
            # An ACL forbids CONFIG, or a managed Redis hides it.
            notes.append("Redis does not show its CONFIG: check noeviction, appendonly and appendfsync yourself.")
        except (RedisError, OSError):
            notes.append("Redis does not answer.")
        return state

    async def _read_durability(self, reasons: list[str]) -> dict[str, str | None]:
        """Return Redis' settings of durability. Add those that may lose events to `reasons`."""
        names = redis_rules.SETTINGS
        shown = cast("dict[str, str]", await self.client.config_get(*names))  # pyright: ignore[reportUnknownMemberType]
        settings = {name: shown.get(name) for name in names}
        # appendfsync matters only if the host crashes. The operator decides about that risk, and the doctor reports it.
        reasons += [
            finding.message
            for finding in redis_rules.check_durability(settings)
            if finding.severity == "broken" and finding.setting != "appendfsync"
        ]
        return settings


def _file_system_type(folder: Path) -> str | None:
    """Return the type of the folder's file system, or None if the system does not report it."""
    try:
        lines = Path("/proc/mounts").read_text(errors="replace").splitlines()
    except OSError:
        return None
    deepest, deepest_kind = "", None
    for line in lines:
        _, point, kind, *_ = line.split(" ")
        if len(point) > len(deepest) and folder.resolve().is_relative_to(point.replace("\\040", " ")):
            deepest, deepest_kind = point, kind
    return deepest_kind
