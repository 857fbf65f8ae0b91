"""The reading end of the stream under its own faults: lost hints, lost groups, several drains, strange entries."""

import signal
import time
from typing import Any

from dev.chaos.event_generator import Story
from ingest.queue import contract
from tests.support.pipeline import Pipeline
from worker.drain import stream
from worker.drain.stream import Stream

NEWER = {b"head": b'{"v":99,"chunks":[]}', b"bodies": b"", b"index": b"?"}
FOREIGN = {b"something": b"else"}


def test_a_lost_hint_is_noticed_by_whoever_lives(pipeline: Pipeline) -> None:
    """The hint is worth nothing: losing it must cost seconds, never an event."""
    worker = pipeline.worker().start()
    assert pipeline.until(lambda: pipeline.redis.scard("rq:workers") == 1), worker.said
    pipeline.feed.add(Story(41).take(10))

    # A lost hint is noticed within 3 s; the rest is for a machine that has other things to do.
    assert pipeline.drained(3 + 5), worker.said


def test_four_drains_at_once_store_each_event_once(pipeline: Pipeline) -> None:
    """Several workers are the way to scale; they see the same stream, chats and keys."""
    pipeline.feed.add_all(Story(42).take(1_500), size=3)
    for _ in range(4):
        pipeline.worker().start()
    for _ in range(4):
        pipeline.feed.hint()

    assert pipeline.drained(30), pipeline.said
    verdict = pipeline.judge()
    assert verdict.clean, verdict


def test_two_workers_that_hold_the_same_entry_store_it_once(pipeline: Pipeline) -> None:
    """A worker that was frozen for long wakes up and goes on with what another has taken over meanwhile."""
    first = pipeline.worker().start()
    with pipeline.holding("BEGIN; LOCK TABLE batches IN SHARE MODE"):
        pipeline.feed.add(Story(43).take(20))
        assert pipeline.until(lambda: pipeline.pending() == 1 and pipeline.waits_for_a_lock()), first.said
        first.send(signal.SIGSTOP)
        long_ago = {"idle": stream.ABANDONED + 1, "justid": True}
        pipeline.redis.xclaim(contract.STREAM, contract.GROUP, "another", 0, ids(pipeline.redis), **long_ago)
        second = pipeline.worker().start()
        pipeline.feed.hint()
        assert pipeline.until(lambda: pipeline.waiting_for_locks() >= 2), second.said
        first.send(signal.SIGCONT)

    assert pipeline.drained(), pipeline.said
    verdict = pipeline.judge()
    assert verdict.clean, verdict


def ids(redis: Any) -> list[bytes]:  # noqa: ANN401 - see Pipeline.redis
    """The entries that somebody has in hand."""
    return [entry["message_id"] for entry in redis.xpending_range(contract.STREAM, contract.GROUP, "-", "+", 100)]


def test_a_batch_that_is_in_the_stream_twice_is_counted_as_what_it_is(pipeline: Pipeline) -> None:
    """Its confirmation was lost, so it went through the spool as well; both copies may come in one hand."""
    pipeline.feed.add(Story(54).take(20))
    [(_, fields)] = pipeline.redis.xrange(contract.STREAM)
    pipeline.feed.put(fields)
    worker = pipeline.worker().start()

    assert pipeline.drained(), worker.said
    verdict = pipeline.judge()
    assert verdict.clean, verdict


def test_a_redis_that_comes_back_empty_is_worked_with_again(pipeline: Pipeline) -> None:
    """A flush, a replica that knew nothing, a new machine: group and keys are made again without a restart."""
    worker = pipeline.worker().start()
    pipeline.feed.add(Story(44).take(10))
    assert pipeline.drained(), worker.said
    stored = list(pipeline.feed.kept)
    pipeline.redis.flushdb()
    pipeline.feed.add(Story(45).take(10))

    assert pipeline.drained(keep=False), worker.said
    assert pipeline.judge().missing == 0
    assert len(stored) == 10


def test_an_entry_that_this_worker_cannot_read_is_put_aside_and_blocks_nobody(pipeline: Pipeline) -> None:
    """During a rollout a newer ingest may write what an older worker does not know; it must stay, and wait."""
    pipeline.feed.put(NEWER)
    pipeline.feed.add(Story(46).take(10))
    pipeline.feed.put(FOREIGN)
    pipeline.feed.add(Story(47).take(10))
    worker = pipeline.worker().start()

    assert pipeline.drained(keep=False), worker.said
    aside = [fields for _, fields in pipeline.redis.xrange(stream.ASIDE)]
    assert aside == [NEWER, FOREIGN]
    assert pipeline.judge().clean
    assert "Traceback" not in worker.said


def test_an_unreadable_entry_on_top_of_the_stream_blocks_nobody(pipeline: Pipeline) -> None:
    """The newest entries are looked at every second for the ledger, so a strange one there meets another eye first."""
    worker = pipeline.worker().start()
    pipeline.feed.add(Story(46).take(10))
    assert pipeline.drained(), worker.said
    for _ in range(3):
        pipeline.feed.put(NEWER)
        pipeline.feed.add(Story(48).take(2))
        time.sleep(0.6)
        pipeline.feed.put(FOREIGN)
        time.sleep(0.6)

    assert pipeline.drained(keep=False), worker.said
    assert worker.starts == 1
    assert "Traceback" not in worker.said


def test_what_was_put_aside_comes_back_once_to_workers_that_start_together(pipeline: Pipeline) -> None:
    """Every start gives it another chance; if each of many workers gave it back, it would multiply."""
    for number in range(40):
        pipeline.redis.xadd(stream.ASIDE, {**NEWER, b"number": str(number).encode()})
    for _ in range(3):
        pipeline.worker().start()
    pipeline.feed.add(Story(49).take(10))

    assert pipeline.drained(), pipeline.said
    assert pipeline.until(lambda: pipeline.redis.xlen(stream.ASIDE) >= 40), pipeline.said
    numbers = [fields[b"number"] for _, fields in pipeline.redis.xrange(stream.ASIDE)]
    assert sorted(numbers, key=int) == [str(number).encode() for number in range(40)]


def test_what_is_acknowledged_and_still_there_is_stored_and_removed_by_the_living(pipeline: Pipeline) -> None:
    """A failover may keep the acknowledgement and lose the removal; no restart should be needed to tidy up."""
    worker = pipeline.worker().start()
    pipeline.feed.add(Story(50).take(10))
    assert pipeline.drained(), worker.said
    worker.send(signal.SIGSTOP)
    time.sleep(0.3)  # longer than it waits for entries at a time, so that it is not the one to get this one
    entry = pipeline.feed.add(Story(51).take(10))
    pipeline.redis.xreadgroup(contract.GROUP, "another", {contract.STREAM: ">"})
    pipeline.redis.xack(contract.STREAM, contract.GROUP, entry)
    worker.send(signal.SIGCONT)

    assert pipeline.drained(keep=False), worker.said
    assert pipeline.judge().clean


def test_consumers_of_workers_that_died_are_buried(pipeline: Pipeline) -> None:
    """A killed worker cannot take its leave; what it has in hand must survive its burial."""
    pipeline.worker().start()
    pipeline.feed.add(Story(52).take(5))
    assert pipeline.drained(), pipeline.said
    pipeline.workers[0].kill()
    entry = pipeline.feed.add(Story(53).take(5))
    pipeline.redis.xreadgroup(contract.GROUP, "holding", {contract.STREAM: ">"})
    Stream(pipeline.redis, "undertaker").bury(silent_ms=0)

    assert [one["name"] for one in pipeline.redis.xinfo_consumers(contract.STREAM, contract.GROUP)] == [b"holding"]
    assert ids(pipeline.redis) == [entry]
