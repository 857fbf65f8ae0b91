"""`/healthz` and `/readyz`: whether the process lives, and whether what it acknowledges is safe."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError
from starlette.requests import Request
from starlette.responses import JSONResponse

from ingest.circuit_breaker import Breaker
from ingest.redis_memory import Memory
from ingest.settings import Settings
from ingest.spool import Spool

SECONDS = 1.0
HIGH_WATER = 0.8
"""Share of its bound from which the spool is called nearly full."""
FLEETING = frozenset({"tmpfs", "ramfs", "overlay"})
"""File systems that a new container or a restart of the host begins empty."""


@dataclass(frozen=True, slots=True)
class Health:
    settings: Settings
    client: Redis
    spool: Spool
    breaker: Breaker
    memory: Memory

    async def alive(self, _: Request) -> JSONResponse:
        """200 as long as the event loop turns."""
        return JSONResponse({"alive": True})

    async def ready(self, _: Request) -> JSONResponse:
        """200 if what is acknowledged now is safe; 503 with the reasons if not. `notes` are what an operator wants."""
        reasons: list[str] = []
        notes: list[str] = []
        redis = await self._redis(reasons, notes)
        if self.spool.trouble is not None:
            notes.append(f"SPOOL_DIR cannot be used ({self.spool.trouble}): without Redis, webhooks are refused.")
            if not redis["reachable"]:
                reasons.append("Neither Redis nor the spool can keep events.")
        elif self.spool.size > HIGH_WATER * self.spool.max_bytes:
            notes.append("The spool is nearly full (SPOOL_MAX_BYTES).")
        kind = await asyncio.to_thread(_file_system, self.settings.spool_dir)
        if kind in FLEETING:
            notes.append(f"SPOOL_DIR lies on {kind}, which does not outlive this container or host.")
        if self.settings.allow_unsigned:
            notes.append("WEBHOOK_ALLOW_UNSIGNED is set: whoever reaches this server can write messages.")
        body = {
            "ready": not reasons,
            "reasons": reasons,
            "notes": notes,
            "redis": redis,
            "spool": {
                "usable": self.spool.trouble is None,
                "events": self.spool.events,
                "bytes": self.spool.size,
                "max_bytes": self.spool.max_bytes,
            },
            "signatures": not self.settings.allow_unsigned,
        }
        return JSONResponse(body, 503 if reasons else 200)

    async def _redis(self, reasons: list[str], notes: list[str]) -> dict[str, object]:
        state: dict[str, object] = {
            "reachable": False,
            "taking_events": self.breaker.reason is None and not self.memory.high,
            "refusal": self.breaker.reason,
            "memory_share": round(self.memory.share, 3),
        }
        if self.memory.high:
            notes.append("Redis is nearly full: new events go to the spool until workers have made room.")
        elif self.breaker.reason is not None:
            notes.append(f"Redis does not confirm ({self.breaker.reason}): new events go to the spool.")
        try:
            async with asyncio.timeout(SECONDS):
                await self.client.ping()  # pyright: ignore[reportUnknownMemberType, reportGeneralTypeIssues] - **kwargs
                state["reachable"] = True
                state |= await self._durability(reasons)
        except ResponseError:
            # An ACL forbids CONFIG, or a managed Redis hides it.
            notes.append("Redis does not show its CONFIG: check noeviction, appendonly and appendfsync yourself.")
        except (RedisError, OSError):
            notes.append("Redis does not answer.")
        return state

    async def _durability(self, reasons: list[str]) -> dict[str, str | None]:
        names = ("maxmemory-policy", "appendonly", "appendfsync")
        found = cast("dict[str, str]", await self.client.config_get(*names))  # pyright: ignore[reportUnknownMemberType]
        text = {name: found.get(name) for name in names}
        if text["maxmemory-policy"] not in {None, "noeviction"}:
            reasons.append(f"Redis may evict acknowledged events: maxmemory-policy is {text['maxmemory-policy']}.")
        if text["appendonly"] == "no":
            reasons.append("Redis forgets acknowledged events when it restarts: appendonly is no.")
        return text


def _file_system(folder: Path) -> str | None:
    """The type of the file system that holds the folder; None where the system does not tell."""
    try:
        lines = Path("/proc/mounts").read_text(errors="replace").splitlines()
    except OSError:
        return None
    found: tuple[int, str | None] = (0, None)
    for line in lines:
        _, point, kind, *_ = line.split(" ")
        if folder.resolve().is_relative_to(point.replace("\\040", " ")):
            found = max(found, (len(point), kind), key=lambda item: item[0])
    return found[1]
