"""Redis fails over under Sentinel while events flow."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from dev.chaos import ledger_command, verdict
from tests.support import sentinels
from tests.support.fleet import Fleet
from tests.support.sentinels import Watched, eventually

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]


@pytest.fixture
def redis_servers(folder: Path) -> Iterator[Watched]:
    with sentinels.watched(folder) as both:
        yield both


def test_what_enough_replicas_have_survives_every_failover(
    redis_servers: Watched, database_url: str, folder: Path
) -> None:
    """The primary dies for good, and later one is told to step down: each event is answered with 200 and kept once."""
    environment = {"REDIS_MIN_REPLICAS": "1"}
    with Fleet(folder, database_url, redis_servers.url, workers=2, environment=environment) as fleet:
        first = redis_servers.primary
        with fleet.sender(151, 40) as sender:
            record = sender.record
            assert fleet.until(lambda: verdict.kept_events(database_url) > 40), fleet.said
            redis_servers.servers[first].kill()
            fleet.workers[1].kill()  # and comes back while there is nobody to talk to
            assert fleet.until(lambda: redis_servers.primary not in {0, first}), fleet.said
            second = redis_servers.primary
            fleet.wait(2.0)
            spooled_alone = fleet.spooled()
            redis_servers.servers[first].stop()
            redis_servers.serve(first, after=second)
            assert fleet.until(lambda: redis_servers.replicas(second) == 1 and fleet.spooled() < 10), fleet.said
            assert redis_servers.fail_over() == first
            fleet.wait(2.0)
            eventually(lambda: redis_servers.replicas(first) == 1)

        assert spooled_alone > 0, "a primary without a replica confirms nothing here"
        assert fleet.until(lambda: fleet.spooled() == 0), fleet.said
        assert not (wrong := fleet.trouble(record)), wrong
        assert len(record.acknowledged) > 200
        assert [program.starts for program in fleet.programs] == [1, 1, 2], fleet.said


def test_a_primary_that_was_frozen_and_replaced_costs_nothing_when_it_wakes(
    redis_servers: Watched, database_url: str, folder: Path
) -> None:
    """It still takes itself for the primary, and so do the connections that are open to it: none may believe it."""
    with Fleet(folder, database_url, redis_servers.url, workers=2, environment={"REDIS_MIN_REPLICAS": "1"}) as fleet:
        first = redis_servers.primary
        with fleet.sender(155, 40) as sender:
            assert fleet.until(lambda: verdict.kept_events(database_url) > 40), fleet.said
            os.kill(redis_servers.servers[first].pid, signal.SIGSTOP)
            assert fleet.until(lambda: redis_servers.primary not in {0, first}), fleet.said
            second = redis_servers.primary
            fleet.wait(1.0)
            os.kill(redis_servers.servers[first].pid, signal.SIGCONT)
            assert fleet.until(lambda: not redis_servers.is_primary(first)), fleet.said
            assert fleet.until(lambda: redis_servers.replicas(second) == 1), fleet.said
            fleet.wait(1.0)

        assert fleet.until(lambda: fleet.spooled() == 0), fleet.said
        assert not (wrong := fleet.trouble(sender.record)), wrong


def test_what_only_the_dead_primary_had_is_named_by_the_ledger(
    redis_servers: Watched, database_url: str, folder: Path
) -> None:
    """Without REDIS_MIN_REPLICAS an acknowledgement is the primary's word alone: what dies with it is named."""
    with Fleet(folder, database_url, redis_servers.url) as fleet:
        first = redis_servers.primary
        [second] = redis_servers.servers.keys() - {first}
        with fleet.sender(152, 20) as sender:
            assert fleet.until(lambda: verdict.kept_events(database_url) > 20), fleet.said
        kept = sender.record
        assert fleet.until(lambda: ledger_command.settled(database_url)), fleet.said
        # The worker looks away and the replica is rebooted, as may happen at any time.
        os.kill(fleet.workers[0].pid, signal.SIGSTOP)
        redis_servers.servers[second].kill()
        with fleet.sender(153, 20) as sender:
            eventually(lambda: len(sender.record.acknowledged) >= 10)
        gone = sender.record
        redis_servers.servers[first].kill()
        redis_servers.servers[second].stop()
        redis_servers.serve(second, after=first)
        os.kill(fleet.workers[0].pid, signal.SIGCONT)
        assert fleet.until(lambda: redis_servers.primary == second), fleet.said
        with fleet.sender(154, 20) as sender:
            assert fleet.until(lambda: fleet.metric("sak_spool_events") == 0 and len(sender.record.acknowledged) > 40)
        after = sender.record

        def told() -> int:
            _, document = ledger_command.ask(database_url)
            return sum(gap["events"] for gap in document.get("lost", ()))

        assert fleet.until(lambda: told() > 0), ledger_command.ask(database_url)
        # What the worker had been handed by the dead primary, and not looked at yet, it still had.
        with psycopg.connect(database_url) as database:
            there = {bytes(body) for (body,) in database.execute("SELECT body FROM events")}
        saved = [body for body in gone.acknowledged if body in there]
        assert told() == len(gone.acknowledged) - len(saved)
        found = verdict.judge(database_url, [*kept.acknowledged, *saved, *after.acknowledged])
        assert (found.missing, found.doubled, found.foreign, found.wrong) == (0, 0, 0, []), found
        assert not kept.refused + gone.refused + after.refused
