"""Tests the readiness and metrics of ingest."""

from pathlib import Path
from typing import cast

import pytest
import redis

from dev.embedded.valkey import EmbeddedValkey
from tests.support.processes.ingest_process import IngestProcess
from tests.support.waiting import wait_until


def commands(client: redis.Redis) -> dict[str, int]:
    """Return how often Redis has run each command since it started."""
    facts = cast("dict[str, dict[str, int]]", client.info("commandstats"))  # pyright: ignore[reportUnknownMemberType]
    return {name.removeprefix("cmdstat_"): stats["calls"] for name, stats in facts.items()}


def test_a_durable_redis_and_a_spool_are_ready(own_valkey: EmbeddedValkey, tmp_path: Path) -> None:
    """The readiness response states how durable acknowledged events are."""
    with IngestProcess(own_valkey.url, tmp_path) as ingest:
        answer = ingest.get("/readyz")

    assert answer.status == 200
    assert answer.json["ready"] is True
    assert answer.json["reasons"] == []
    assert answer.json["redis"]["appendfsync"] == "no"
    assert answer.json["redis"]["maxmemory-policy"] == "noeviction"
    assert answer.json["spool"] == {"usable": True, "events": 0, "bytes": 0, "max_bytes": 1 << 30}


@pytest.mark.parametrize(("name", "value"), [("maxmemory-policy", "allkeys-lru"), ("appendonly", "no")])
def test_a_redis_that_loses_confirmed_events_is_not_ready(
    own_valkey: EmbeddedValkey, client: redis.Redis, tmp_path: Path, name: str, value: str
) -> None:
    """Both are common defaults of caches, and both lose acknowledged events silently."""
    client.config_set(name, value)  # pyright: ignore[reportUnknownMemberType] - **kwargs
    with IngestProcess(own_valkey.url, tmp_path) as ingest:
        answer = ingest.get("/readyz")

    assert answer.status == 503
    assert answer.json["ready"] is False
    assert any(f"{name} is {value}" in reason for reason in answer.json["reasons"])


def test_a_redis_that_hides_its_configuration_is_ready_with_a_note(
    own_valkey: EmbeddedValkey, client: redis.Redis, tmp_path: Path
) -> None:
    """Managed services do so. A failed readiness would help nobody, and no note would promise too much."""
    client.acl_setuser(  # pyright: ignore[reportUnknownMemberType] - **kwargs
        "sak", enabled=True, passwords=["+pw"], keys=["*"], commands=["+@all", "-config"]
    )
    with IngestProcess(own_valkey.url.replace("unix://", "unix://sak:pw@"), tmp_path) as ingest:
        answer = ingest.get("/readyz")
        kept = ingest.post_webhook(b"x")

    assert answer.status == 200
    assert any("CONFIG" in note for note in answer.json["notes"])
    assert kept.json["path"] == "stream"


def test_least_privileges_are_enough(own_valkey: EmbeddedValkey, client: redis.Redis, tmp_path: Path) -> None:
    """The process that is exposed to the Internet should have a Redis user without any other permission."""
    client.acl_setuser(  # pyright: ignore[reportUnknownMemberType] - **kwargs
        "sak",
        enabled=True,
        passwords=["+pw"],
        keys=["sak:events", "sak:writers", "rq:queue:drain", "rq:queues", "rq:job:*"],
        commands=[
            "+xadd",
            "+xlen",
            "+llen",
            "+multi",
            "+exec",
            "+client|setinfo",
            "+client|setname",
            "+select",
            "+sadd",
            "+hset",
            "+rpush",
            "+persist",
        ],
    )
    with IngestProcess(own_valkey.url.replace("unix://", "unix://sak:pw@"), tmp_path) as ingest:
        answers = [ingest.post_webhook(b"x") for _ in range(3)]
        ready = ingest.get("/readyz")
        wait_until(lambda: ingest.read_metric("sak_ingest_drain_jobs_total") >= 1)

    assert {(answer.status, answer.json["path"]) for answer in answers} == {(200, "stream")}
    assert ready.status == 200


def test_without_redis_it_is_ready_as_long_as_it_has_a_spool(own_valkey: EmbeddedValkey, tmp_path: Path) -> None:
    """If a load balancer removed it, it could not even spool, and an outage would become a loss."""
    with IngestProcess(own_valkey.url, tmp_path) as ingest:
        own_valkey.kill()
        ingest.post_webhook(b"x")
        answer = ingest.get("/readyz")

        assert answer.status == 200
        assert answer.json["redis"]["reachable"] is False
        assert answer.json["spool"]["events"] == 1
        assert any("does not answer" in note for note in answer.json["notes"])
        assert ingest.get("/healthz").status == 200


def test_a_spool_on_an_ephemeral_disk_is_noted(own_valkey: EmbeddedValkey, tmp_path: Path) -> None:
    """In a container without a volume, the spool disappears when it is needed."""
    with IngestProcess(own_valkey.url, tmp_path, SPOOL_DIR=str(own_valkey.folder / "spool")) as ingest:
        notes = ingest.get("/readyz").json["notes"]

    assert any("tmpfs" in note for note in notes) == str(own_valkey.folder).startswith("/dev/shm")


def test_readiness_and_metrics_write_nothing_into_redis(
    own_valkey: EmbeddedValkey, client: redis.Redis, tmp_path: Path
) -> None:
    """RQ's own metrics clean registries and run callbacks in the reading process. Ours only read."""
    with IngestProcess(own_valkey.url, tmp_path) as ingest:
        before = commands(client)
        for _ in range(5):
            ingest.get("/readyz")
            ingest.get("/metrics")
        grown = {name for name, calls in commands(client).items() if calls > before.get(name, 0)}

    # Only the heartbeat writes, with `hset`. It also reads the position of the workers.
    assert grown <= {
        "hset",
        "xinfo|groups",
        "xpending",
        "xinfo|stream",
        "info",
        "ping",
        "config|get",
        "client|setinfo",
        "client|setname",
        "select",
        "hello",
        "auth",
    }


def test_metrics_count_what_happened(own_valkey: EmbeddedValkey, tmp_path: Path) -> None:
    """The number of received events equals acknowledged plus refused ones. Alarms rely on these metrics."""
    with IngestProcess(own_valkey.url, tmp_path) as ingest:
        ingest.post_webhook(b"x")
        ingest.post_webhook(b"x", {})
        ingest.request("GET", "/whatsapp-webhook", b"", {})
        own_valkey.kill()
        ingest.post_webhook(b"x")

        assert ingest.read_metric("sak_ingest_received_webhooks_total") == 2
        assert ingest.read_metric('sak_ingest_acknowledged_events_total{path="stream"}') == 1
        assert ingest.read_metric('sak_ingest_acknowledged_events_total{path="spool"}') == 1
        assert ingest.read_metric('sak_ingest_refused_requests_total{code="bad_signature"}') == 1
        assert ingest.read_metric('sak_ingest_refused_requests_total{code="method_not_allowed"}') == 1
        assert ingest.read_metric("sak_ingest_batch_events_count") == 2
        assert ingest.read_metric("sak_spool_events") == 1
        assert ingest.read_metric("sak_ingest_circuit_open") == 1
