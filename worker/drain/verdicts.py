"""Stores in Redis what is known about the events of an entry, so that a later job or worker can continue."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias, cast

from redis import Redis

from ingest.queue import contract
from worker.drain.stream import StreamEntry

_TTL_SECONDS = 24 * 3600
_PART_SIZE = b"part_size"

EventVerdict: TypeAlias = Literal["accepted", "rejected"]


class EventVerdicts:
    """The verdicts on the events of an entry, by index, and the attempts to decode them."""

    def __init__(self, redis: Redis, entry: StreamEntry) -> None:
        self._redis = redis
        entry_id = entry.id.decode()
        self._verdicts_key = f"{contract.STREAM}:verdicts:{entry_id}"
        self._attempts_key = f"{contract.STREAM}:attempts:{entry_id}"

    def read(self) -> Mapping[int, EventVerdict]:
        """Return the events that PostgreSQL accepted or rejected."""
        fields = cast("dict[bytes, bytes]", self._redis.hgetall(self._verdicts_key))
        return {int(name): cast("EventVerdict", value.decode()) for name, value in fields.items() if name != _PART_SIZE}

    def save(self, indexes: Iterable[int], verdict: EventVerdict) -> None:
        self._save(dict.fromkeys(map(str, indexes), verdict))

    def read_part_size(self) -> int | None:
        """Return the number of events in the next part of the search, or None before the first."""
        size = cast("bytes | None", self._redis.hget(self._verdicts_key, _PART_SIZE.decode()))
        return None if size is None else int(size)

    def save_part_size(self, size: int) -> None:
        self._save({_PART_SIZE: str(size)})

    def begin_attempt(self, index: int) -> int:
        """Count an attempt to decode the event before it starts.

        Return the number of attempts that started but did not end.
        """
        begun = int(self._redis.hincrby(self._attempts_key, str(index), 1))
        self._redis.expire(self._attempts_key, _TTL_SECONDS)
        return begun

    def reset_attempts(self, index: int) -> None:
        """Delete the attempts, because the last one killed no worker."""
        self._redis.hset(self._attempts_key, str(index), "0")

    def clear(self) -> None:
        """Delete everything, because the entry is stored."""
        self._redis.delete(self._verdicts_key, self._attempts_key)

    def _save(self, fields: dict[Any, Any]) -> None:
        self._redis.hset(self._verdicts_key, mapping=fields)
        self._redis.expire(self._verdicts_key, _TTL_SECONDS)
