"""`python -m worker doctor`: checks Redis and the queue, and prints findings as JSON for `python -m store doctor`."""

import json
import time
from collections.abc import Mapping
from typing import Any, cast

from redis import Redis
from redis.exceptions import RedisError, ResponseError

from ingest.queue import contract, redis_rules
from store.doctor import clock
from store.doctor.finding import Finding, broken, by_threshold, ok, warning
from store.feed import database_identity
from store.postgres import connections
from store.postgres.connections import DatabaseUrlError
from store.postgres.errors import StoreError
from telemetry.errors import SettingsError
from worker import queue_keys, redis_client, redis_settings
from worker.drain.database_marker import ADOPT, DatabaseMarker
from worker.drain.stream import UNREADABLE_STREAM, StreamConsumer

MIN_VERSION = (6, 2)
"""The first version with LMOVE and XPENDING's IDLE."""
TESTED_VERSION = (7, 2)
STUCK_AFTER_MS = 30_000
"""The time in ms without a refresh by a worker after which an entry counts as stuck."""


REFUSED_DAYS = 7
_REFUSAL_REMEDIES = {
    "body_too_large": "Raise MAX_BODY_BYTES of ingest above the largest body.",
    "not_kept": "Keep Redis and the spool's disk available (findings redis and disk.spool).",
    "overloaded": "Start more ingest processes, or a faster Redis.",
}


def main(environ: Mapping[str, str]) -> int:
    """Print a JSON list of findings. The exit code is always 0."""
    print(json.dumps([one.to_json() for one in examine(environ)]))  # noqa: T201 - a command prints its answer
    return 0


def examine(environ: Mapping[str, str]) -> list[Finding]:
    """Return findings about the Redis named by the environment. Only reads."""
    remedy = "Start it, and check address, password and the Sentinels' name in REDIS_URL."
    try:
        client = redis_client.connect(environ.get("REDIS_URL", ""))
    except SettingsError as error:
        return [broken("redis", str(error), remedy)]
    try:
        with client:
            info = client.info()  # pyright: ignore[reportUnknownMemberType] - **kwargs
            replicas = environ.get("REDIS_MIN_REPLICAS", "").strip()
            return [
                ok("redis", "Redis answers."),
                _check_version(info),
                _check_role(info, int(replicas) if replicas.isdecimal() else 0),
                *redis_settings.check(client),
                _check_memory(info),
                _check_persistence(info),
                _check_clock(client),
                *_check_queue(client),
                _check_refused(client),
                *_check_database(client, environ),
            ]
    except (RedisError, OSError) as error:
        return [broken("redis", f"Redis does not answer ({type(error).__name__}).", remedy)]


def _check_version(info: Mapping[str, Any]) -> Finding:
    server = "Valkey" if "valkey_version" in info else "Redis"
    version = str(info.get("valkey_version") or info.get("redis_version", "0"))
    # Valkey's redis_version is the version of Redis that it is compatible with.
    numbers = tuple(int(part) for part in str(info.get("redis_version", "0")).split(".")[:2] if part.isdecimal())
    if numbers < MIN_VERSION:
        return broken("redis.version", f"{server} {version} is too old.", "Upgrade to Valkey 9 or Redis 7.2.")
    if numbers < TESTED_VERSION:
        remedy = "Upgrade to Valkey 9 or Redis 7.2, which are tested."
        return warning("redis.version", f"{server} {version} is older than the tested versions.", remedy)
    return ok("redis.version", f"{server} {version}.")


def _check_role(info: Mapping[str, Any], min_replicas: int) -> Finding:
    name = "redis.role"
    if info.get("role") != "master":
        remedy = "Name the primary in REDIS_URL, or the Sentinels: redis+sentinel://host:port,host:port/name/db"
        return broken(name, "REDIS_URL names a replica, which accepts no events.", remedy)
    replicas = int(info.get("connected_slaves", 0))
    if replicas < min_replicas:
        remedy = "Bring the replicas back: until then new events go to the spool."
        return broken(name, f"{replicas} replicas are connected; REDIS_MIN_REPLICAS requires {min_replicas}.", remedy)
    return ok(name, f"Redis is a primary with {replicas} replicas.")


def _check_memory(info: Mapping[str, Any]) -> Finding:
    used, limit = int(info.get("used_memory", 0)), int(info.get("maxmemory", 0))
    name, mib = "redis.memory", 1 << 20
    if not limit:
        remedy = "CONFIG SET maxmemory to what the machine can spare: ingest spools above 80 % of it."
        return warning(name, f"Redis uses {used / mib:.0f} MiB and has no limit (maxmemory 0).", remedy)
    return by_threshold(
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
        return broken(name, f"Redis could not write its append-only file ({failed[0]}).", "Free space on Redis' disk.")
    return ok(name, "Redis' last write of its append-only file succeeded.")


def _check_clock(client: Redis) -> Finding:
    before = time.time()
    seconds, micros = client.time()  # pyright: ignore[reportUnknownMemberType] - **kwargs
    after = time.time()
    return clock.check_offset("redis.clock", "Redis'", seconds + micros / 1e6 - (before + after) / 2)


def _check_stuck(client: Redis) -> Finding:
    """Check whether a dead worker holds entries."""
    try:
        stuck = client.xpending_range(contract.STREAM, contract.CONSUMER_GROUP, "-", "+", 100, idle=STUCK_AFTER_MS)
    except ResponseError:  # no stream or no consumer group yet
        stuck = []
    if stuck:
        remedy = "Start a worker: it claims a dead worker's entries, and parks an event that kills workers."
        return warning("queue.stuck", f"{len(stuck)} batches are held by a worker that no longer responds.", remedy)
    waiting = StreamConsumer(client, "doctor").state().uncommitted
    return ok("queue.stuck", f"{waiting} batches wait in the stream, none stuck with a dead worker.")


def _check_queue(client: Redis) -> list[Finding]:
    """Check the content of the queue, unless a key has another type, so that Redis refuses to read it."""
    types = queue_keys.check(client)
    if any(finding.severity != "ok" for finding in types):
        return types
    return [*types, _check_stuck(client), _check_unreadable(client)]


def _check_unreadable(client: Redis) -> Finding:
    if unreadable := client.xlen(UNREADABLE_STREAM):
        remedy = "Start a newer worker, which requeues them; keep the stream sak:events:unreadable until then."
        return broken("queue.unreadable", f"{unreadable} entries that no worker could read were set aside.", remedy)
    return ok("queue.unreadable", "No entry is unreadable.")


def _check_refused(client: Redis) -> Finding:
    """Check for signed webhooks that ingest refused within the last week (ingest/http/refusal_report.py)."""
    stored = cast("dict[bytes, bytes]", client.hgetall(contract.REFUSED))
    counts = {name.decode(): int(value) for name, value in stored.items()}
    name = "ingest.refused"
    since = (time.time() - REFUSED_DAYS * 86_400) * 1000
    recent = {code: counts[code] for code in _REFUSAL_REMEDIES if counts.get(f"{code}:at", 0) > since}
    if not recent:
        return ok(name, "No signed webhook was refused within the last week.")
    reasons = ", ".join(f"{code}: {count}" for code, count in recent.items())
    remedy = " ".join(_REFUSAL_REMEDIES[code] for code in recent)
    if largest := counts.get("body_too_large:bytes") if "body_too_large" in recent else None:
        reasons += f", the largest of them {largest} bytes"
    message = f"Signed webhooks were refused, the last within a week ({reasons}). SAK does not send them again."
    return broken(name, message, remedy)


def _check_database(client: Redis, environ: Mapping[str, str]) -> list[Finding]:
    """Check whether the events in Redis belong to the database. Return nothing if there is no database to query."""
    name = "queue.database"
    marker = DatabaseMarker(StreamConsumer(client, "doctor")).load()
    try:
        with connections.open(connections.url(environ), "doctor") as connection:
            identity = database_identity.read(connection, with_position=False)
    except (DatabaseUrlError, StoreError):
        return []  # `python -m store doctor` reports the error
    if marker is None or marker.database_id == identity.database_id:
        return [ok(name, "Redis has the events of this database.")]
    remedy = f"Correct DATABASE_URL or REDIS_URL, or run `{ADOPT}` to store the events that are in Redis here."
    return [broken(name, "Redis has the events of another database.", remedy)]
