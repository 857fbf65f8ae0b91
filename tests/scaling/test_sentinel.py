"""Tests failovers of Redis under Sentinel while events arrive."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from dev.chaos import ledger_command, verdict
from tests.support.history import ledger_counts
from tests.support.processes.fleet import ProcessFleet
from tests.support.servers import sentinels
from tests.support.servers.sentinels import SentinelDeployment
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]


@pytest.fixture
def redis_servers(server_folder: Path) -> Iterator[SentinelDeployment]:
    with sentinels.running_sentinels(server_folder) as both:
        yield both


def test_events_on_enough_replicas_survive_every_failover(
    redis_servers: SentinelDeployment, database_url: str, server_folder: Path
) -> None:
    """The primary dies permanently, and later another is demoted. Each event is answered with 200 and kept once."""
    environment = {"REDIS_MIN_REPLICAS": "1"}
    with ProcessFleet(server_folder, database_url, redis_servers.url, workers=2, environment=environment) as fleet:
        first = redis_servers.primary
        with fleet.create_sender(151, 40) as sender:
            record = sender.deliveries
            assert fleet.wait_until(lambda: ledger_counts.count_events(database_url) > 40), fleet.output
            redis_servers.servers[first].kill()
            fleet.workers[1].kill()  # it restarts while no primary is available
            assert fleet.wait_until(lambda: redis_servers.primary not in {0, first}), fleet.output
            second = redis_servers.primary
            fleet.wait(2.0)
            spooled_alone = fleet.count_spooled_events()
            redis_servers.servers[first].stop()
            redis_servers.start_server(first, primary_port=second)
            assert fleet.wait_until(
                lambda: redis_servers.count_replicas(second) == 1 and fleet.count_spooled_events() < 10
            ), fleet.output
            assert redis_servers.fail_over() == first
            fleet.wait(2.0)
            wait_until(lambda: redis_servers.count_replicas(first) == 1)

        assert spooled_alone > 0, "a primary without a replica confirms nothing here"
        assert fleet.wait_until(lambda: fleet.count_spooled_events() == 0), fleet.output
        assert not (wrong := fleet.find_problems(record)), wrong
        assert len(record.acknowledged) > 200
        assert [program.start_count for program in fleet.processes] == [1, 1, 2], fleet.output


def test_a_primary_that_was_frozen_and_replaced_costs_nothing_when_it_wakes(
    redis_servers: SentinelDeployment, database_url: str, server_folder: Path
) -> None:
    """It and open connections still consider it the primary, and no process may rely on it."""
    with ProcessFleet(
        server_folder, database_url, redis_servers.url, workers=2, environment={"REDIS_MIN_REPLICAS": "1"}
    ) as fleet:
        first = redis_servers.primary
        with fleet.create_sender(155, 40) as sender:
            assert fleet.wait_until(lambda: ledger_counts.count_events(database_url) > 40), fleet.output
            os.kill(redis_servers.servers[first].pid, signal.SIGSTOP)
            assert fleet.wait_until(lambda: redis_servers.primary not in {0, first}), fleet.output
            second = redis_servers.primary
            fleet.wait(1.0)
            os.kill(redis_servers.servers[first].pid, signal.SIGCONT)
            assert fleet.wait_until(lambda: not redis_servers.is_primary(first)), fleet.output
            assert fleet.wait_until(lambda: redis_servers.count_replicas(second) == 1), fleet.output
            fleet.wait(1.0)

        assert fleet.wait_until(lambda: fleet.count_spooled_events() == 0), fleet.output
        assert not (wrong := fleet.find_problems(sender.deliveries)), wrong


def test_a_replica_that_lacks_the_newest_events_is_promoted_and_gets_them(
    redis_servers: SentinelDeployment, database_url: str, server_folder: Path
) -> None:
    """Without REDIS_MIN_REPLICAS, the primary loses seconds of events that only ingest still has."""
    with ProcessFleet(server_folder, database_url, redis_servers.url) as fleet:
        first = redis_servers.primary
        [second] = redis_servers.servers.keys() - {first}
        with fleet.create_sender(155, 100) as sender:
            assert fleet.wait_until(lambda: ledger_counts.count_events(database_url) > 20), fleet.output
            os.kill(fleet.workers[0].pid, signal.SIGSTOP)
            redis_servers.servers[second].kill()
            time.sleep(2)
            redis_servers.servers[first].kill()
            redis_servers.servers[second].stop()
            redis_servers.start_server(second, primary_port=first)
            os.kill(fleet.workers[0].pid, signal.SIGCONT)
            assert fleet.wait_until(lambda: redis_servers.primary == second), fleet.output
            fleet.wait(2.0)

        assert fleet.wait_until(lambda: fleet.count_spooled_events() == 0), fleet.output
        assert fleet.read_metric("sak_tail_resent_events_total") > 100
        assert not (wrong := fleet.find_problems(sender.deliveries)), wrong


def test_the_ledger_names_events_that_only_the_dead_primary_had(
    redis_servers: SentinelDeployment, database_url: str, server_folder: Path
) -> None:
    """Without REDIS_MIN_REPLICAS or a tail, only the primary has an acknowledged event, so a loss is reported."""
    with ProcessFleet(server_folder, database_url, redis_servers.url, environment={"TAIL_SECONDS": "0"}) as fleet:
        first = redis_servers.primary
        [second] = redis_servers.servers.keys() - {first}
        with fleet.create_sender(152, 20) as sender:
            assert fleet.wait_until(lambda: ledger_counts.count_events(database_url) > 20), fleet.output
        kept = sender.deliveries
        assert fleet.wait_until(lambda: ledger_command.has_nothing_waiting(database_url)), fleet.output
        # The worker pauses and the replica is restarted, which may happen at any time.
        os.kill(fleet.workers[0].pid, signal.SIGSTOP)
        redis_servers.servers[second].kill()
        with fleet.create_sender(153, 20) as sender:
            wait_until(lambda: len(sender.deliveries.acknowledged) >= 10)
        gone = sender.deliveries
        redis_servers.servers[first].kill()
        redis_servers.servers[second].stop()
        redis_servers.start_server(second, primary_port=first)
        os.kill(fleet.workers[0].pid, signal.SIGCONT)
        assert fleet.wait_until(lambda: redis_servers.primary == second), fleet.output
        with fleet.create_sender(154, 20) as sender:
            assert fleet.wait_until(
                lambda: fleet.read_metric("sak_spool_events") == 0 and len(sender.deliveries.acknowledged) > 40
            )
        after = sender.deliveries

        def told() -> int:
            _, document = ledger_command.read(database_url)
            return sum(gap["events"] for gap in document.get("lost", ()))

        assert fleet.wait_until(lambda: told() > 0), ledger_command.read(database_url)
        # The worker still had the entries that the dead primary had delivered but that it had not processed yet.
        with psycopg.connect(database_url) as database:
            there = {bytes(body) for (body,) in database.execute("SELECT body FROM raw_events")}
        saved = [body for body in gone.acknowledged if body in there]
        assert told() == len(gone.acknowledged) - len(saved)
        found = verdict.judge(database_url, [*kept.acknowledged, *saved, *after.acknowledged])
        assert (found.missing_events, found.duplicate_rows, found.unexpected_events, found.wrong_rows) == (
            0,
            0,
            0,
            [],
        ), found
        assert not kept.refused + gone.refused + after.refused
