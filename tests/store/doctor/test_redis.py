"""Tests the doctor's checks of Redis on a real server."""

import time
from pathlib import Path

import pytest

from ingest.queue import contract
from tests.support.processes.examined_system import ExaminedSystem


@pytest.mark.parametrize(
    ("setting", "value", "name", "answer"),
    [
        ("maxmemory-policy", "allkeys-lru", "redis.policy", "broken"),
        ("appendonly", "no", "redis.persistence", "broken"),
        ("appendfsync", "everysec", "redis.persistence", "warning"),
        ("appendfsync", "no", "redis.persistence", "broken"),
        ("maxmemory", "0", "redis.memory", "warning"),
    ],
)
def test_a_setting_that_loses_events_is_reported(
    examined_system: ExaminedSystem, setting: str, value: str, name: str, answer: str
) -> None:
    """A Redis that is configured as a cache deletes or loses data, but it accepts acknowledged events as well."""
    before = examined_system.redis.config_get(setting)[setting]
    examined_system.redis.config_set(setting, value)
    try:
        found = examined_system.results()
    finally:
        examined_system.redis.config_set(setting, before)

    assert found[name] == answer
    assert examined_system.results()[name] == "ok"


def test_a_redis_that_is_nearly_full_is_reported(examined_system: ExaminedSystem) -> None:
    """Above the limit, new events go to the spool without a visible reason."""
    before = examined_system.redis.config_get("maxmemory")["maxmemory"]
    examined_system.redis.config_set("maxmemory", int(examined_system.redis.info("memory")["used_memory"] * 1.1))
    try:
        answer = examined_system.results()["redis.memory"]
    finally:
        examined_system.redis.config_set("maxmemory", before)

    assert answer == "broken"


@pytest.mark.parametrize(
    "url", ["redis://127.0.0.1:1/0", "redis+sentinel://127.0.0.1:1,127.0.0.1:2/main/0", "nonsense", ""]
)
def test_an_unreachable_redis_is_reported(examined_system: ExaminedSystem, url: str) -> None:
    """The checks that do not need it still run."""
    found = examined_system.results(REDIS_URL=url)

    assert (found["redis"], found["postgresql.fsync"], found["secrets.api"]) == ("broken", "ok", "ok")


def test_a_redis_replica_is_broken(examined_system: ExaminedSystem) -> None:
    """After a failover, REDIS_URL may name the former primary."""
    examined_system.redis.replicaof("127.0.0.1", "1")
    try:
        answer = examined_system.results()["redis.role"]
    finally:
        examined_system.redis.replicaof("NO", "ONE")

    assert (answer, examined_system.results()["redis.role"]) == ("broken", "ok")


def test_too_few_replicas_are_reported(examined_system: ExaminedSystem) -> None:
    assert examined_system.results(REDIS_MIN_REPLICAS="1")["redis.role"] == "broken"


def test_unreadable_entries_are_reported(examined_system: ExaminedSystem) -> None:
    """Unreadable entries are acknowledged events that only a newer worker can read."""
    examined_system.redis.xadd(f"{contract.STREAM}:unreadable", {"head": "{}"})

    assert examined_system.results()["queue.unreadable"] == "broken"


def test_this_machines_clock_is_compared_with_both_servers(examined_system: ExaminedSystem, tmp_path: Path) -> None:
    """Ingest dates every event by the clock of this machine."""
    (tmp_path / "sitecustomize.py").write_text("import time\nreal = time.time\ntime.time = lambda: real() + 90\n")
    found = examined_system.command_results(PYTHONPATH=str(tmp_path))

    assert (found["postgresql.clock"], found["redis.clock"]) == ("broken", "broken")


def test_a_hidden_configuration_is_a_warning(examined_system: ExaminedSystem) -> None:
    """A managed Redis forbids CONFIG, so the operator must check its settings there."""
    examined_system.redis.acl_setuser(
        "limited", enabled=True, passwords=["+made-up-1"], commands=["+@all", "-config"], keys=["*"], channels=["*"]
    )
    url = examined_system.environ["REDIS_URL"].replace("unix://", "unix://limited:made-up-1@")
    try:
        found = examined_system.results(REDIS_URL=url)
    finally:
        examined_system.redis.acl_deluser("limited")

    assert (found["redis"], found["redis.configuration"]) == ("ok", "warning")


def test_signed_webhooks_that_were_refused_are_reported_for_a_week(examined_system: ExaminedSystem) -> None:
    """A picture larger than MAX_BODY_BYTES is lost, and only the log of its sender shows it."""
    client, now = examined_system.redis, time.time() * 1000
    try:
        client.hset(
            contract.REFUSED,
            mapping={"body_too_large": 2, "body_too_large:at": round(now), "body_too_large:bytes": 1_200_181},
        )
        fresh = examined_system.results()["ingest.refused"]
        client.hset(contract.REFUSED, "body_too_large:at", round(now - 8 * 86_400_000))
        old = examined_system.results()["ingest.refused"]
    finally:
        client.delete(contract.REFUSED)

    assert (fresh, old) == ("broken", "ok")
