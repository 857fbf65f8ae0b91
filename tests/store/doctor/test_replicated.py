"""Tests the doctor with sentinels and replicas."""

from pathlib import Path

import pytest

from store.doctor import replica
from tests.support.servers import replication, sentinels
from tests.support.waiting import wait_until
from worker.commands import doctor


def answers(url: str, **environ: str) -> dict[str, str]:
    return {one.name: one.severity for one in doctor.examine({"REDIS_URL": url, **environ})}


@pytest.mark.long
def test_redis_is_found_through_its_sentinels_before_and_after_a_failover(server_folder: Path) -> None:
    """The doctor checks the current primary, and whether it has the replicas for which acknowledgements wait."""
    with sentinels.running_sentinels(server_folder) as redis:
        old = redis.primary
        wait_until(lambda: answers(redis.url, REDIS_MIN_REPLICAS="1").get("redis.role") == "ok")
        redis.fail_over()
        wait_until(lambda: answers(redis.url, REDIS_MIN_REPLICAS="1").get("redis.role") == "ok")
        redis.servers[old].kill()
        wait_until(lambda: answers(redis.url, REDIS_MIN_REPLICAS="1").get("redis.role") == "broken")
        alone = answers(redis.url)

    assert (alone["redis"], alone["redis.role"]) == ("ok", "ok"), "where none is asked for, none is missed"


def test_a_replica_that_lost_its_primary_is_reported(server_folder: Path) -> None:
    with (
        replication.running_primary(server_folder) as primary,
        replication.create_standby(primary, server_folder / "standby") as follower,
    ):
        environ = {"READ_DATABASE_URL": follower.url}
        wait_until(lambda: [one.severity for one in replica.check(environ)] == ["ok"])
        primary.kill()
        wait_until(lambda: [one.severity for one in replica.check(environ)] == ["warning"])
        (left,) = replica.check(environ)

    assert left.message == "The replica is not connected to its primary."
