"""Tests that ingest acknowledges events while Redis is down, and that they are stored afterwards."""

import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from dev.chaos import ledger_command, verdict
from dev.chaos.event_generator import EventGenerator
from dev.chaos.system_under_test import SystemUnderTest
from dev.chaos.webhook_sender import WebhookSender
from ingest.queue import contract
from tests.support.history import ledger_counts
from tests.support.stream.stream_writer import connect

RATE = 200
NOTICED = 2.0
"""The time in seconds within which ingest notices that Redis is down."""


@pytest.fixture
def system() -> Iterator[SystemUnderTest]:
    with SystemUnderTest() as made:
        yield made


def at_home(system: SystemUnderTest, count: int, seconds: float) -> bool:
    """Return whether this number of events is in the ledger in time."""
    end = time.monotonic() + seconds
    while ledger_counts.count_events(system.postgres.url) < count:
        if time.monotonic() > end:
            return False
        system.wait(0.1)
    return True


@pytest.mark.parametrize("seconds", [2, pytest.param(60, marks=pytest.mark.long)])
@pytest.mark.timeout(240)
def test_its_absence_refuses_and_loses_nothing(system: SystemUnderTest, seconds: float) -> None:
    """A gateway that never retries must not notice that the queue is down. Only readers notice it."""
    with WebhookSender(system.port, EventGenerator(91), RATE) as sender:
        system.wait(2)
        system.valkey.kill()
        gone = time.monotonic()
        system.wait(seconds)
        system.valkey.start()
        back = time.monotonic()
        system.wait(2)
    record = sender.deliveries
    p99 = record.p99_latency(gone + NOTICED, back)
    print(f"Redis away for {seconds} s at {RATE}/s: p99 of acknowledgement {p99 * 1000:.1f} ms once noticed")

    assert not record.refused
    assert not record.unanswered
    assert at_home(system, len(record.acknowledged), 20), "everything is readable within 20 s of its return"
    print(f"everything readable {time.monotonic() - back - 2:.1f} s after the last event")
    found = verdict.judge(system.postgres.url, record.acknowledged)
    assert found.is_clean, found
    assert not ledger_command.wait_until_exact(system.postgres.url, system.wait)


@pytest.mark.long
@pytest.mark.timeout(180)
def test_an_entry_that_vanishes_is_named_by_the_ledger(system: SystemUnderTest) -> None:
    """A loss must be reported under load, with the writer, the numbers and an exit code, until it is accepted."""
    [worker] = system.workers
    worker.kill()
    with WebhookSender(system.port, EventGenerator(93), 50) as sender:
        redis: Any = connect(system.valkey.url)
        while not redis.exists(contract.STREAM):
            system.wait(0.1, restart=False)
        system.wait(1, restart=False)
        batches = {name: contract.from_fields(fields) for name, fields in redis.xrange(contract.STREAM)}
        entry, victim = next((name, batch) for name, batch in batches.items() if batch.bodies)
        redis.xdel(contract.STREAM, entry)
        worker.start()
        code, under_load = ledger_command.read(system.postgres.url)
        end = time.monotonic() + 60
        while code != 1 and time.monotonic() < end:
            system.wait(1)
            code, under_load = ledger_command.read(system.postgres.url)
        assert time.time() - latest_commit(system) < 3, "batches are still being stored"
    code, at_rest = ledger_command.read(system.postgres.url)
    end = time.monotonic() + 20
    while at_rest["waiting"] != len(victim.bodies) and time.monotonic() < end:
        system.wait(1)
        code, at_rest = ledger_command.read(system.postgres.url)
    lost = {"writer": victim.writer, "first": victim.number, "last": victim.number, "events": len(victim.bodies)}

    assert under_load["lost"] == at_rest["lost"] == [{**lost, "spooled": 0}]
    assert (code, at_rest["received"]) == (1, len(sender.deliveries.acknowledged))
    name = f"{victim.writer}:{victim.number}"
    code, accepted = ledger_command.read(system.postgres.url, "--accept-loss", name, "--reason", "a test removed it")
    assert (code, accepted["exact"], accepted["waiting"], accepted["lost"]) == (0, True, 0, [])
    assert accepted["written_off"] == len(victim.bodies)


def latest_commit(system: SystemUnderTest) -> float:
    """Return when the newest batch was stored, in seconds since 1970."""
    with psycopg.connect(system.postgres.url) as connection:
        row = connection.execute("SELECT extract(epoch FROM max(committed_at))::float8 FROM batches").fetchone()
    assert row is not None
    return float(row[0])
