"""Checks that Redis' settings are durable enough for acknowledged events.

It has no connection of its own, so that ingest's asynchronous client and the worker's synchronous one share the rules.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

SETTINGS = ("maxmemory-policy", "appendonly", "appendfsync")
"""The settings to read with CONFIG GET."""
MEMORY_LOW_WATER = 0.70
"""The share of maxmemory below which ingest appends to the stream again."""
MEMORY_HIGH_WATER = 0.80
"""The share of maxmemory above which ingest sends new events to the spool."""


@dataclass(frozen=True, slots=True)
class DurabilityFinding:
    """The result of checking one setting."""

    name: Literal["policy", "persistence"]
    setting: str
    """The setting that decided."""
    severity: Literal["ok", "warning", "broken"]
    message: str
    remedy: str | None = None


def check_durability(settings: Mapping[str, str | None]) -> list[DurabilityFinding]:
    """Return a finding on eviction and one on persistence. A setting that Redis hides is None or absent."""
    policy, append_only, fsync = (settings.get(name) for name in SETTINGS)
    return [_check_eviction(policy), _check_persistence(append_only, fsync)]


def _check_eviction(policy: str | None) -> DurabilityFinding:
    finding = partial(DurabilityFinding, "policy", "maxmemory-policy")
    if policy == "noeviction":
        return finding("ok", "maxmemory-policy is noeviction.")
    if policy is None:
        remedy = "Check in your provider's console that it is noeviction."
        return finding("warning", "Redis does not show maxmemory-policy.", remedy)
    remedy = "CONFIG SET maxmemory-policy noeviction, and the same in its configuration file (CONFIG REWRITE)."
    return finding("broken", f"maxmemory-policy is {policy}: Redis may delete acknowledged events.", remedy)


def _check_persistence(append_only: str | None, fsync: str | None) -> DurabilityFinding:
    finding = partial(DurabilityFinding, "persistence", "appendonly" if append_only != "yes" else "appendfsync")
    if append_only is None or fsync is None:
        remedy = "Check in your provider's console that they are yes and always."
        return finding("warning", "Redis does not show appendonly and appendfsync.", remedy)
    if append_only != "yes":
        remedy = "CONFIG SET appendonly yes, then CONFIG SET appendfsync always, and CONFIG REWRITE."
        return finding("broken", f"appendonly is {append_only}: a restart of Redis loses acknowledged events.", remedy)
    if fsync == "always":
        return finding("ok", "appendonly is yes, with appendfsync always.")
    loss = "appendfsync is {}: a crash of Redis' host may lose {}acknowledged events."
    if fsync == "everysec":
        remedy = "CONFIG SET appendfsync always, or REDIS_MIN_REPLICAS=1 with a replica on another host."
        return finding("warning", loss.format(fsync, "a second of "), remedy)
    return finding("broken", loss.format(fsync, ""), "CONFIG SET appendfsync always, and CONFIG REWRITE.")
