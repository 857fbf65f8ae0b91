"""Checks that Redis' settings are durable enough for acknowledged events.

Pure, so that ingest's asynchronous client and the worker's synchronous one share the rules.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

SETTINGS = ("maxmemory-policy", "appendonly", "appendfsync")
"""The settings to read with CONFIG GET."""
MEMORY_LOW_WATER = 0.70
"""Share of maxmemory below which ingest appends to the stream again."""
MEMORY_HIGH_WATER = 0.80
"""Share of maxmemory above which ingest sends new events to the spool."""


@dataclass(frozen=True, slots=True)
class DurabilityFinding:
    """One setting against its rule."""

    name: Literal["policy", "persistence"]
    severity: Literal["ok", "warning", "broken"]
    setting: str
    """The setting that decided."""
    message: str
    remedy: str | None = None


def check_durability(settings: Mapping[str, str | None]) -> list[DurabilityFinding]:
    """A finding on eviction and one on persistence; a setting that Redis does not show is None or absent."""
    return [_check_eviction(settings.get("maxmemory-policy")), _check_persistence(settings)]


def _check_eviction(policy: str | None) -> DurabilityFinding:
    setting = "maxmemory-policy"
    if policy == "noeviction":
        return DurabilityFinding("policy", "ok", setting, "maxmemory-policy is noeviction.")
    if policy is None:
        return DurabilityFinding(
            "policy",
            "warning",
            setting,
            "Redis does not show maxmemory-policy.",
            "Check where your provider shows it that it is noeviction.",
        )
    return DurabilityFinding(
        "policy",
        "broken",
        setting,
        f"maxmemory-policy is {policy}: Redis may delete acknowledged events.",
        "CONFIG SET maxmemory-policy noeviction, and the same in its configuration file (CONFIG REWRITE).",
    )


def _check_persistence(settings: Mapping[str, str | None]) -> DurabilityFinding:
    append_only, fsync = settings.get("appendonly"), settings.get("appendfsync")
    if append_only is None or fsync is None:
        return DurabilityFinding(
            "persistence",
            "warning",
            "appendonly",
            "Redis does not show appendonly and appendfsync.",
            "Check where your provider shows them that they are yes and always.",
        )
    if append_only != "yes":
        return DurabilityFinding(
            "persistence",
            "broken",
            "appendonly",
            f"appendonly is {append_only}: a restart of Redis loses acknowledged events.",
            "CONFIG SET appendonly yes, then CONFIG SET appendfsync always, and CONFIG REWRITE.",
        )
    if fsync == "always":
        return DurabilityFinding("persistence", "ok", "appendfsync", "appendonly is yes, with appendfsync always.")
    if fsync == "everysec":
        return DurabilityFinding(
            "persistence",
            "warning",
            "appendfsync",
            "appendfsync is everysec: a crash of Redis' host may lose a second of acknowledged events.",
            "CONFIG SET appendfsync always, or REDIS_MIN_REPLICAS=1 with a replica on another host.",
        )
    return DurabilityFinding(
        "persistence",
        "broken",
        "appendfsync",
        f"appendfsync is {fsync}: a crash of Redis' host may lose acknowledged events.",
        "CONFIG SET appendfsync always, and CONFIG REWRITE.",
    )
