"""If another program overwrites keys of the queue, events are stored without RQ and the doctor names the key."""

import signal
from contextlib import suppress

import pytest
from redis.exceptions import ResponseError

from dev.chaos.event_generator import EventGenerator
from ingest.queue import contract
from tests.support.processes import worker_http
from tests.support.processes.pipeline import WorkerPipeline
from worker import queue_keys
from worker.commands import doctor


def overwrite(pipeline: WorkerPipeline, key: str) -> None:
    """Overwrite the key with a value of a type that no key of the queue has."""
    pipeline.redis.delete(key)
    pipeline.redis.set(key, "overwritten")


@pytest.mark.parametrize("key", sorted(queue_keys.RQ_TYPES))
def test_an_overwritten_key_of_rq_delays_nothing(pipeline: WorkerPipeline, key: str) -> None:
    """With a string as its queue, RQ ended its loop repeatedly. Nothing was stored although the worker was ready."""
    worker = pipeline.create_worker(WORKER_PORT=worker_http.free_port()).start()
    pipeline.feed.append(EventGenerator(131).take(5))
    assert pipeline.wait_until_drained(), worker.output
    overwrite(pipeline, key)
    pipeline.feed.append(EventGenerator(132).take(10))
    with suppress(ResponseError):
        pipeline.feed.enqueue_drain()

    assert pipeline.wait_until_drained(restart_workers=False), worker.output
    assert pipeline.wait_until(lambda: worker_http.fetch(worker, "/readyz")[0] == 200), worker.output
    assert worker.start_count == 1
    assert "Traceback" not in worker.output


def test_a_worker_that_starts_with_an_overwritten_key_uses_rq_again_once_it_is_gone(pipeline: WorkerPipeline) -> None:
    overwrite(pipeline, contract.RQ_QUEUE_KEY)
    overwrite(pipeline, "rq:workers")
    worker = pipeline.create_worker(WORKER_PORT=worker_http.free_port()).start()
    pipeline.feed.append(EventGenerator(133).take(10))
    assert pipeline.wait_until_drained(), worker.output
    assert pipeline.wait_until(lambda: "drains without RQ" in worker_http.fetch(worker, "/readyz")[1]), worker.output
    pipeline.redis.delete(contract.RQ_QUEUE_KEY, "rq:workers")

    assert pipeline.wait_until(lambda: pipeline.redis.scard("rq:workers") == 1), worker.output
    assert pipeline.wait_until(lambda: "without RQ" not in worker_http.fetch(worker, "/readyz")[1]), worker.output
    worker.send_signal(signal.SIGTERM)
    assert pipeline.wait_until(lambda: not worker.is_running, restart_workers=False), "a stop is obeyed as ever"


def test_the_doctor_names_the_key_and_the_cure(pipeline: WorkerPipeline) -> None:
    overwrite(pipeline, contract.RQ_QUEUE_KEY)
    found = [one for one in doctor.examine({"REDIS_URL": pipeline.redis_url}) if one.name == "queue.keys"]
    overwrite(pipeline, contract.STREAM)
    pipeline.redis.delete(contract.RQ_QUEUE_KEY)
    ours = [one for one in doctor.examine({"REDIS_URL": pipeline.redis_url}) if one.name == "queue.keys"]

    assert [one.severity for one in found] == ["broken"]
    assert found[0].message == "The key rq:queue:drain is a string and must be a list."
    assert "redis-cli DEL rq:queue:drain" in str(found[0].remedy)
    assert [one.message for one in ours] == ["The key sak:events is a string and must be a stream."]
