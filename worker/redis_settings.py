"""Checks over the worker's client that Redis keeps acknowledged events (ingest/queue/redis_rules.py)."""

from typing import cast

from redis import Redis
from redis.exceptions import ResponseError

from ingest.queue import redis_rules
from store.doctor import finding
from store.doctor.finding import Finding


def check(client: Redis) -> list[Finding]:
    """Return the findings `redis.policy` and `redis.persistence`, or one that Redis hides its settings.

    Raises RedisError.
    """
    try:
        settings = cast(
            "dict[str, str]",
            client.config_get(*redis_rules.SETTINGS),  # pyright: ignore[reportUnknownMemberType] - **kwargs
        )
    except ResponseError:
        remedy = "Check noeviction, appendonly yes and appendfsync always in your provider's console."
        return [finding.warning("redis.configuration", "Redis does not show its CONFIG.", remedy)]
    return [
        Finding(f"redis.{one.name}", one.severity, one.message, one.remedy)
        for one in redis_rules.check_durability(settings)
    ]
