"""Stored batches stay in the stream within limits of time and memory, and do not count as waiting."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from dev.chaos.event_generator import EventGenerator
from ingest.queue import contract
from tests.support.processes import worker_http
from tests.support.processes.pipeline import WorkerPipeline
from worker.drain.kept_entries import KeptEntries
from worker.drain.stream import StreamConsumer

BODY = b"x" * 10_000


@pytest.fixture
def consumer(redis_url: str) -> Iterator[StreamConsumer]:
    with redis.Redis.from_url(redis_url) as client:  # pyright: ignore[reportUnknownMemberType] - **kwargs
        one = StreamConsumer(client, "one")
        one.ensure_group()
        yield one
        client.config_set("maxmemory", 0)  # pyright: ignore[reportUnknownMemberType] - **kwargs


class Clock:
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def append(consumer: StreamConsumer, count: int) -> list[bytes]:
    ids: list[bytes] = []
    for _ in range(count):
        ids.append(consumer.redis.xadd(contract.STREAM, {"head": "{}", "bodies": BODY}))  # pyright: ignore[reportArgumentType] - a stub's variance
        time.sleep(0.001)  # ids are times
    return ids


def commit(consumer: StreamConsumer, count: int) -> None:
    consumer.acknowledge([entry.id for entry in consumer.read_new(count)])


def kept_ids(consumer: StreamConsumer) -> list[bytes]:
    redis: Any = consumer.redis
    return [id_ for id_, _ in redis.xrange(contract.STREAM)]


def test_a_stored_batch_stays_in_the_stream_and_does_not_wait(pipeline: WorkerPipeline) -> None:
    """A promoted standby may lack the batch. As nobody waits for it, no depth, age or hint counts it."""
    worker = pipeline.create_worker().start()
    pipeline.feed.append_all(EventGenerator(61).take(40), events_per_batch=4)
    assert pipeline.wait_until_drained(), worker.output

    assert pipeline.redis.xlen(contract.STREAM) == 10
    assert pipeline.wait_until(lambda: pipeline.fetch_rows("SELECT length FROM stream_status") == [(0,)])
    assert pipeline.fetch_rows("SELECT oldest_at FROM stream_status") == [(None,)]
    assert not StreamConsumer(pipeline.redis, "test").has_work()


def test_it_is_removed_when_its_time_is_over(pipeline: WorkerPipeline) -> None:
    """Messages must not stay in Redis for longer than necessary."""
    worker = pipeline.create_worker(STREAM_KEEP_SECONDS="1").start()
    pipeline.feed.append_all(EventGenerator(62).take(40), events_per_batch=4)
    assert pipeline.wait_until_drained(), worker.output

    assert pipeline.wait_until(lambda: pipeline.redis.xlen(contract.STREAM) == 0), worker.output


def test_its_time_begins_when_it_is_stored(consumer: StreamConsumer) -> None:
    """After an outage of PostgreSQL, entries are old when they are stored, but a standby may lack them all the same."""
    clock = Clock()
    kept = KeptEntries(consumer.redis, 120, None, monotonic=clock)
    waited = append(consumer, 3)
    for _ in range(10):
        clock.now += 60
        kept.trim(consumer.state())
    commit(consumer, 3)
    kept.trim(consumer.state())
    clock.now += 119
    kept.trim(consumer.state())

    assert kept_ids(consumer) == waited
    clock.now += 2
    kept.trim(consumer.state())
    assert kept_ids(consumer) == []


def test_nothing_is_removed_beyond_the_first_entry_that_is_not_stored(consumer: StreamConsumer) -> None:
    """A worker may hold an early entry for longer than the retention time while others store later entries."""
    clock = Clock()
    kept = KeptEntries(consumer.redis, 120, 0, monotonic=clock)
    ids = append(consumer, 10)
    commit(consumer, 2)
    [held] = consumer.read_new(1)
    commit(consumer, 4)
    for _ in range(5):
        kept.trim(consumer.state())
        clock.now += 100

    assert held.id == ids[2]
    assert kept_ids(consumer) == ids[2:]
    assert consumer.state().uncommitted == 4


def test_entries_beyond_their_bytes_are_removed_oldest_first(consumer: StreamConsumer) -> None:
    limit = 2_000_000
    kept = KeptEntries(consumer.redis, 120, limit)
    ids = append(consumer, 1_000)
    commit(consumer, 1_000)
    for _ in range(5):
        kept.trim(consumer.state())
    left = kept_ids(consumer)

    assert 0.5 * limit < len(left) * len(BODY) <= limit
    assert left == ids[-len(left) :]
    assert kept.is_limited
    assert kept.covered_seconds < 120


def test_without_a_setting_they_take_an_eighth_of_maxmemory_at_most(consumer: StreamConsumer) -> None:
    consumer.redis.config_set("maxmemory", 64 << 20)  # pyright: ignore[reportUnknownMemberType] - **kwargs
    kept = KeptEntries(consumer.redis, 120, None)
    append(consumer, 1_500)
    commit(consumer, 1_500)
    for _ in range(5):
        kept.trim(consumer.state())

    assert kept.limit_bytes == 8 << 20
    assert (4 << 20) < kept.size_bytes <= (8 << 20)


def test_where_redis_fills_up_they_give_way_to_what_waits(consumer: StreamConsumer) -> None:
    """Otherwise ingest would spool new events because of entries that may never be needed."""
    kept = KeptEntries(consumer.redis, 120, 64 << 20)
    append(consumer, 500)
    commit(consumer, 500)
    waiting = append(consumer, 500)
    used = int(consumer.redis.info("memory")["used_memory"])  # pyright: ignore[reportUnknownMemberType] - **kwargs
    consumer.redis.config_set("maxmemory", int(used / 0.9))  # pyright: ignore[reportUnknownMemberType] - **kwargs
    for _ in range(3):
        kept.trim(consumer.state())

    assert kept_ids(consumer)[-500:] == waiting
    assert len(kept_ids(consumer)) < 700
    assert kept.is_limited


def test_what_waits_is_counted_where_redis_does_not_tell(consumer: StreamConsumer) -> None:
    """Redis returns no lag if an entry behind the group's position was deleted, and never before version 7.0."""
    ids = append(consumer, 20)
    commit(consumer, 20)
    consumer.redis.xdel(contract.STREAM, ids[10])
    consumer.redis.xgroup_setid(contract.STREAM, contract.CONSUMER_GROUP, ids[5])

    [group] = consumer.redis.xinfo_groups(contract.STREAM)  # pyright: ignore[reportGeneralTypeIssues] - redis' unions
    assert group["lag"] is None
    assert consumer.state().uncommitted == 13
    assert consumer.state().oldest_uncommitted_at == int(ids[6].split(b"-")[0])


def test_a_worker_says_how_far_back_it_keeps(pipeline: WorkerPipeline) -> None:
    """An operator who promotes a standby must know whether the stream covers its lag."""
    worker = pipeline.create_worker(WORKER_PORT=worker_http.free_port(), STREAM_KEEP_BYTES="1000").start()
    pipeline.feed.append_all(EventGenerator(63).take(400), events_per_batch=4)
    assert pipeline.wait_until_drained(), worker.output

    def kept() -> dict[str, Any]:
        return json.loads(worker_http.fetch(worker, "/readyz")[1])["kept"]

    assert pipeline.wait_until(lambda: kept()["note"] is not None), worker.output
    assert kept()["limit_bytes"] == 1000
    assert "STREAM_KEEP_BYTES" in kept()["note"]
    assert worker_http.read_metric(worker, "sak_stream_kept_seconds") is not None
