"""The worker runs only the drain job, whatever Redis contains."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from rq import Callback, Queue, Retry
from rq.serializers import JSONSerializer

from dev.chaos.event_generator import EventGenerator
from dev.embedded.managed_process import ManagedProcess
from ingest.queue import contract
from tests.support.processes import worker_http
from tests.support.processes.pipeline import WorkerPipeline

REFUSED = "sak_worker_refused_jobs_total"


def enqueue(pipeline: WorkerPipeline, function: str, *arguments: object, **options: Any) -> None:  # noqa: ANN401 - RQ's own
    queue = Queue(contract.RQ_QUEUE, connection=pipeline.redis, serializer=JSONSerializer)
    queue.enqueue(function, *arguments, **options)  # pyright: ignore[reportUnknownMemberType] - RQ's arguments are any


@pytest.fixture
def worker(pipeline: WorkerPipeline) -> ManagedProcess:
    return pipeline.create_worker(WORKER_PORT=worker_http.free_port())


def test_every_other_job_in_redis_is_refused_and_counted(
    pipeline: WorkerPipeline, worker: ManagedProcess, tmp_path: Path
) -> None:
    """RQ imports and calls any dotted path, so everyone who can write to Redis could run programs here."""
    mark = tmp_path / "executed"
    touch = f"touch {mark}"
    enqueue(pipeline, "os.system", touch)
    enqueue(pipeline, "subprocess.getoutput", touch)
    enqueue(pipeline, contract.RQ_JOB, touch)
    enqueue(pipeline, contract.RQ_JOB, on_success=Callback("os.system"))
    enqueue(pipeline, contract.RQ_JOB, on_failure=Callback("os.system"))
    enqueue(pipeline, contract.RQ_JOB, on_stopped=Callback("os.system"))
    enqueue(pipeline, "worker.jobs.DRAIN", result_ttl=0)
    enqueue(pipeline, "os.abort", retry=Retry(max=3))
    pipeline.feed.append(EventGenerator(31).take(10))
    worker.start()

    assert pipeline.wait_until(lambda: worker_http.read_metric(worker, REFUSED) == 8), worker.output
    assert pipeline.wait_until_drained(), worker.output
    assert worker.start_count == 1
    assert not mark.exists()
    assert worker_http.read_metric(worker, REFUSED) == 8
    assert pipeline.wait_until(lambda: pipeline.redis.keys("rq:job:*") == []), "nothing of them stays"
    assert touch not in worker.output


def test_a_malformed_job_does_not_stop_the_worker(pipeline: WorkerPipeline, worker: ManagedProcess) -> None:
    """A hash that is incomplete or from another program makes the worker lose only a hint."""
    damaged: dict[str, dict[str, bytes]] = {
        "not-json": {"created_at": b"2025-01-01T00:00:00.000000Z", "data": b"\x80\x04pickle", "origin": b"drain"},
        "no-data": {"created_at": b"2025-01-01T00:00:00.000000Z", "origin": b"drain"},
        "bad-dates": {"created_at": b"yesterday", "data": b"[]", "origin": b"drain", "timeout": b"long"},
        "nothing": {},
    }
    for name, fields in damaged.items():
        if fields:
            pipeline.redis.hset(f"rq:job:{name}", mapping=fields)
        pipeline.redis.rpush(f"rq:queue:{contract.RQ_QUEUE}", name)
    pipeline.feed.append(EventGenerator(32).take(10))
    worker.start()

    assert pipeline.wait_until_drained(), worker.output
    assert pipeline.wait_until(lambda: pipeline.redis.llen(f"rq:queue:{contract.RQ_QUEUE}") == 0), worker.output
    assert worker.start_count == 1
    pipeline.feed.append(EventGenerator(33).take(10))
    assert pipeline.wait_until_drained(), worker.output


def test_commands_in_redis_are_not_obeyed(pipeline: WorkerPipeline, worker: ManagedProcess) -> None:
    """RQ's workers subscribe to a channel on which anybody may order a shutdown."""
    worker.start()
    pipeline.feed.append(EventGenerator(34).take(10))
    assert pipeline.wait_until_drained(), worker.output
    for key in pipeline.redis.smembers("rq:workers"):
        name = key.decode().removeprefix("rq:worker:")
        pipeline.redis.publish(f"rq:pubsub:{name}", json.dumps({"command": "shutdown"}))
    time.sleep(1)

    assert worker.is_running
    pipeline.feed.append(EventGenerator(35).take(10))
    assert pipeline.wait_until_drained(restart_workers=False), worker.output


def test_a_job_that_a_dead_worker_took_does_not_block_other_workers(
    pipeline: WorkerPipeline, worker: ManagedProcess
) -> None:
    """If a worker is killed between taking a hint and running it, RQ notices after a minute or never."""
    pipeline.redis.rpush(f"rq:queue:{contract.RQ_QUEUE}:intermediate", "lost")
    worker.start()
    pipeline.feed.append(EventGenerator(36).take(10))

    assert pipeline.wait_until_drained(), worker.output
