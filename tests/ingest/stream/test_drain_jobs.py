"""Tests that the drain job is created when it is needed, and not when it would not help."""

import time
from pathlib import Path
from typing import cast

import redis
from rq import Queue
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

from dev.embedded.valkey import EmbeddedValkey
from ingest.queue import contract
from tests.support.attacks.webhook_load import WebhookLoad
from tests.support.processes.ingest_process import IngestProcess
from tests.support.waiting import wait_until


def jobs(client: redis.Redis) -> list[Job]:
    return Queue(contract.RQ_QUEUE, connection=client, serializer=JSONSerializer).get_jobs()


def take(client: redis.Redis) -> bool:
    """Take one job from the queue, as a worker does."""
    return cast("bytes | None", client.lpop(f"rq:queue:{contract.RQ_QUEUE}")) is not None


def test_a_drain_job_is_readable_by_rq_itself(own_valkey: EmbeddedValkey, client: redis.Redis, tmp_path: Path) -> None:
    """rq writes its commands into a foreign pipeline here, which its documentation does not guarantee."""
    with IngestProcess(own_valkey.url, tmp_path) as ingest:
        ingest.post_webhook(b"x")
        wait_until(lambda: len(jobs(client)) == 1)
    (job,) = jobs(client)

    assert (job.func_name, job.get_call_string()) == (contract.RQ_JOB, f"{contract.RQ_JOB}()")
    assert (job.timeout, job.result_ttl) == (30, 0)
    assert job.get_status() is JobStatus.QUEUED
    assert client.smembers("rq:queues") == {b"rq:queue:drain"}


def test_no_second_drain_job_is_enqueued_while_one_waits(
    own_valkey: EmbeddedValkey, client: redis.Redis, tmp_path: Path
) -> None:
    """One job per event would make RQ slow, and a single job is sufficient."""
    with IngestProcess(own_valkey.url, tmp_path) as ingest:
        with WebhookLoad(ingest) as load:
            load.wait_for(300)
        queued = len(jobs(client))

    # One that was in progress while the first was queued may have been added.
    assert 1 <= queued <= 2


def test_workers_that_keep_up_get_a_job_for_every_event_at_once(
    own_valkey: EmbeddedValkey, client: redis.Redis, tmp_path: Path
) -> None:
    """A message should appear on the dashboard immediately, so there must be no polling interval."""
    with IngestProcess(own_valkey.url, tmp_path) as ingest:
        for number in range(20):
            ingest.post_webhook(b"%d" % number)
            wait_until(lambda: take(client))
            client.delete(contract.STREAM)

        assert ingest.read_metric("sak_ingest_drain_jobs_total") == 20


def test_failing_drains_do_not_get_a_job_for_every_request(
    own_valkey: EmbeddedValkey, client: redis.Redis, tmp_path: Path
) -> None:
    """Without a back-off, every request would start a job that fails, hundreds per second while PostgreSQL is down."""
    with IngestProcess(own_valkey.url, tmp_path) as ingest:
        taken = 0
        with WebhookLoad(ingest) as load:
            end = time.monotonic() + 3
            while time.monotonic() < end:
                taken += take(client)
                time.sleep(0.005)

        # 0.05 + 0.1 + 0.2 + 0.4 + 0.8 + 1 s allow about six, and two more for those in progress.
        assert 2 <= taken <= 10
        assert len(load.acknowledged) > 5 * taken


def test_draining_the_spool_enqueues_a_drain_job(
    own_valkey: EmbeddedValkey, client: redis.Redis, tmp_path: Path
) -> None:
    """After an outage there may be no webhook for hours, and the spool must not wait for one."""
    with IngestProcess(own_valkey.url, tmp_path) as ingest:
        own_valkey.kill()
        ingest.post_webhook(b"x")
        own_valkey.start()
        wait_until(lambda: ingest.read_metric("sak_spool_events") == 0)
        wait_until(lambda: len(jobs(client)) == 1)


def test_a_drain_job_that_cannot_be_enqueued_costs_no_event(
    own_valkey: EmbeddedValkey, client: redis.Redis, tmp_path: Path
) -> None:
    """The job is only a hint. The event is stored, and a worker also polls."""
    client.set("rq:queues", "not a set")
    with IngestProcess(own_valkey.url, tmp_path) as ingest:
        answers = [ingest.post_webhook(b"x") for _ in range(3)]

        assert {(answer.status, answer.json["path"]) for answer in answers} == {(200, "stream")}
        assert "Traceback" not in ingest.log
