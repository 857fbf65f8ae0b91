"""`python -m worker doctor`: what the worker sees of Redis and the queue, as JSON for `python -m store doctor`."""

import json
import time
from collections.abc import Mapping
from typing import Any

from redis import Redis
from redis.exceptions import RedisError, ResponseError

from ingest.queue import contract, redis_rules
from store.doctor import clock, finding
from store.doctor.finding import Finding
from telemetry.errors import SettingsError
from worker import redis_client, redis_settings
from worker.drain.stream import UNREADABLE_STREAM

MIN_VERSION = (6, 2)
"""LMOVE and XAUTOCLAIM's kin came with it."""
TESTED_VERSION = (7, 2)
STUCK_AFTER_MS = 30_000
"""An entry that a worker has had for so long without a word is stuck, whoever may claim it."""


def main(environ: Mapping[str, str]) -> int:
    """Prints a list of findings; the exit code is 0 whatever they say."""
    print(json.dumps([one.to_json() for one in examine(environ)]))  # noqa: T201 - a command prints its answer
    return 0


def examine(environ: Mapping[str, str]) -> list[Finding]:
    """Redis as this environment names it; reads only."""
    cure = "Start it, and check address, password and the Sentinels' name in REDIS_URL."
    try:
        client = redis_client.connect(environ.get("REDIS_URL", ""))
    except SettingsError as error:
        return [finding.broken("redis", str(error), cure)]
    try:
        with client:
            info = client.info()  # pyright: ignore[reportUnknownMemberType] - **kwargs
            replicas = environ.get("REDIS_MIN_REPLICAS", "").strip()
            return [
                finding.ok("redis", "Redis answers."),
                _check_version(info),
                _check_role(info, int(replicas) if replicas.isdecimal() else 0),
                *redis_settings.check(client),
                _check_memory(info),
                _check_persistence(info),
                _check_clock(client),
                *_check_queue(client),
            ]
    except (RedisError, OSError) as error:
        return [finding.broken("redis", f"Redis does not answer ({type(error).__name__}).", cure)]


def _check_version(info: Mapping[str, Any]) -> Finding:
    server = "Valkey" if "valkey_version" in info else "Redis"
    said = str(info.get("valkey_version") or info.get("redis_version", "0"))
    # Valkey says in redis_version which Redis it is compatible with.
    numbers = tuple(int(part) for part in str(info.get("redis_version", "0")).split(".")[:2] if part.isdecimal())
    if numbers < MIN_VERSION:
        return finding.broken("redis.version", f"{server} {said} is too old.", "Upgrade to Valkey 9 or Redis 7.2.")
    if numbers < TESTED_VERSION:
        cure = "Upgrade to Valkey 9 or Redis 7.2, which were tried."
        return finding.warning("redis.version", f"{server} {said} is older than what was tried.", cure)
    return finding.ok("redis.version", f"{server} {said}.")


def _check_role(info: Mapping[str, Any], min_replicas: int) -> Finding:
    name = "redis.role"
    if info.get("role") != "master":
        cure = "Name the primary in REDIS_URL, or the Sentinels: redis+sentinel://host:port,host:port/name/db"
        return finding.broken(name, "REDIS_URL names a replica, which takes no events.", cure)
    replicas = int(info.get("connected_slaves", 0))
    if replicas < min_replicas:
        cure = "Bring the replicas back: until then new events go to the spool."
        return finding.broken(
            name, f"{replicas} replicas are connected, and REDIS_MIN_REPLICAS asks for {min_replicas}.", cure
        )
    return finding.ok(name, f"It is a primary, with {replicas} replicas.")


def _check_memory(info: Mapping[str, Any]) -> Finding:
    used, limit = int(info.get("used_memory", 0)), int(info.get("maxmemory", 0))
    name, mib = "redis.memory", 1 << 20
    if not limit:
        cure = (
            "CONFIG SET maxmemory to what the machine can spare: ingest stops at 80 % of it, the kernel kills at 100 %."
        )
        return finding.warning(name, f"Redis uses {used / mib:.0f} MiB and has no limit (maxmemory 0).", cure)
    return finding.by_threshold(
        name,
        used / limit,
        redis_rules.MEMORY_LOW_WATER,
        redis_rules.MEMORY_HIGH_WATER,
        f"Redis uses {used / mib:.0f} of {limit / mib:.0f} MiB.",
        "Start more workers if events wait (finding queue.age), else raise maxmemory; new events go to the spool.",
    )


def _check_persistence(info: Mapping[str, Any]) -> Finding:
    name = "redis.disk"
    failed = [key for key in ("aof_last_write_status", "aof_last_bgrewrite_status") if info.get(key, "ok") != "ok"]
    if failed:
        return finding.broken(name, f"Redis could not write its file ({failed[0]}).", "Make room on Redis' disk.")
    return finding.ok(name, "Redis could write its file last time.")


def _check_clock(client: Redis) -> Finding:
    before = time.time()
    seconds, micros = client.time()  # pyright: ignore[reportUnknownMemberType] - **kwargs
    after = time.time()
    return clock.check_offset("redis.clock", "Redis'", seconds + micros / 1e6 - (before + after) / 2)


def _check_queue(client: Redis) -> list[Finding]:
    """What waits, what was put aside, and what somebody took and never finished."""
    length, aside = client.xlen(contract.STREAM), client.xlen(UNREADABLE_STREAM)
    found: list[Finding] = []
    stuck: list[Any] = []
    if client.exists(contract.STREAM):
        try:
            stuck = client.xpending_range(contract.STREAM, contract.CONSUMER_GROUP, "-", "+", 100, idle=STUCK_AFTER_MS)
        except ResponseError:  # no group yet: nobody took anything
            stuck = []
    if stuck:
        cure = "Start a worker: it claims what a dead one left. If they die of it, it is opened carefully and parked."
        sentence = f"{len(stuck)} batches were taken by a worker that says nothing any more."
        found.append(finding.warning("queue.stuck", sentence, cure))
    else:
        found.append(finding.ok("queue.stuck", f"{length} batches are in the stream, none stuck with a dead worker."))
    if aside:
        cure = "A newer worker takes them back when it starts; keep the stream sak:events:unreadable until then."
        found.append(
            finding.broken("queue.unreadable", f"{aside} entries that no worker could read were put aside.", cure)
        )
    else:
        found.append(finding.ok("queue.unreadable", "No entry was put aside as unreadable."))
    return found
