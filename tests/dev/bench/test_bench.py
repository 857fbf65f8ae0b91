"""Tests that the benchmark counts correctly, and prints no figure of a run with a lost event or another failure."""

import asyncio
import json
import pkgutil
import subprocess
import sys
from array import array
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.bench import parts, stream_backlog, verification
from dev.bench.__main__ import DEFAULT_PARTS, FULL_PARTS
from dev.bench.errors import WrongResultError
from dev.bench.load import load_generator
from dev.bench.load.load import LoadSpec
from dev.bench.load.sample_webhooks import BODY_BYTES, SampleSenders
from dev.bench.parts import overload
from dev.bench.results import report
from dev.bench.results.results import Limit, ResultRow, ResultTable, Samples
from dev.bench.testbed import BenchServers
from dev.checkout import ROOT
from dev.embedded.servers import EmbeddedServers
from ingest.queue import contract
from store.ingestion import apply
from store.postgres import connections
from worker.drain import decoding


def test_the_parts_of_the_command_are_the_modules_of_parts() -> None:
    assert sorted(DEFAULT_PARTS + FULL_PARTS) == sorted(module.name for module in pkgutil.iter_modules(parts.__path__))


def test_webhooks_are_as_large_as_said_and_no_two_are_alike() -> None:
    """Equal bodies would be a single event, so the figure would be meaningless."""
    senders = SampleSenders()

    bodies = [senders.body(number) for number in range(20_000)]

    assert {len(body) for body in bodies} == {BODY_BYTES}
    assert len({*bodies, *(SampleSenders().body(number) for number in range(100))}) == 20_100
    assert json.loads(bodies[7])["messageId"] != json.loads(bodies[8])["messageId"]


def test_a_stall_counts_for_all_that_would_have_been_asked_meanwhile() -> None:
    """A client that waits for each response does not measure how long other requests would have waited."""
    latencies = array("d", [0.001] * 1000 + [0.1])

    corrected = load_generator.corrected_latencies(latencies)

    assert len(corrected) == pytest.approx(1100, abs=2)
    assert sum(latency > 0.05 for latency in corrected) == pytest.approx(50, abs=2)


def test_a_ratio_is_between_medians_and_knows_whether_it_is_enough() -> None:
    row = ResultRow("x", "/s", Samples.of(90, 100, 500), "y", Samples.of(10, 200, 200), Limit("at least", 0.5))

    assert (row.ratio, row.is_target_met) == (0.5, True)
    assert ResultRow("x", "ms", Samples.of(16), target=Limit("at most", 15)).is_target_met is False


def test_a_missed_target_is_said_in_words() -> None:
    """A figure that misses its target must be recognisable."""
    row = ResultRow("p50", "ms", Samples.of(16), target=Limit("at most", 15), miss_reason="The disk is slow.")

    text = report.format_table(ResultTable("freshness", (row,)))

    assert "MISSED: p50 is 16 ms, and should be at most 15. The disk is slow." in text


@pytest.fixture
def refusing() -> Iterator[int]:
    """Return a server that answers every second request with 503."""
    program = """
import asyncio, itertools
numbers = itertools.count()
async def serve(reader, writer):
    while head := await reader.readuntil(b"\\r\\n\\r\\n"):
        await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split()[0]))
        writer.write(b"HTTP/1.1 %d x\\r\\nContent-Length: 2\\r\\n\\r\\nok" % (503 if next(numbers) % 2 else 200))
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        assert server.stdout
        yield int(server.stdout.readline())
        server.kill()


@pytest.mark.parametrize("pace", [{"count": 100}, {"rate": 200.0, "seconds": 0.5}])
def test_a_refusal_is_no_acknowledgement(refusing: int, pace: dict[str, float]) -> None:
    """Otherwise, a server that refuses quickly would be the fastest."""
    outcome = LoadSpec(refusing, 4, **pace).run()  # pyright: ignore[reportArgumentType] - one of two ways

    assert outcome.sent == 100
    assert (outcome.acknowledged, outcome.other_statuses) == (50, {"503": 50})
    with pytest.raises(WrongResultError):
        outcome.require_all_acknowledged()


def test_events_acknowledged_under_load_are_in_the_stream(servers: EmbeddedServers, tmp_path: Path) -> None:
    """The generator counts responses and Redis counts events. The two independent counts must agree."""
    lab = BenchServers(tmp_path, servers.postgres, servers.valkey)
    with lab.redis() as client, lab.start_module("ingest") as ingest:
        outcome = LoadSpec(ingest.port, 16, count=500).run()
        waiting = stream_backlog.measure(client)

    assert (waiting.events, waiting.body_bytes) == (outcome.acknowledged, outcome.acknowledged * BODY_BYTES)


def test_a_lost_event_stops_the_figure(database_url: str) -> None:
    """The figures of a run that lost a message are not printed."""
    senders = SampleSenders()
    with connections.open(database_url, "test") as connection:
        bodies = tuple(senders.body(number) for number in range(10))
        batch = contract.RawBatch("f" * 32, 1, 10, (1_734_700_000_000,) * 10, bodies)
        apply.batches(connection, [decoding.batch(contract.to_fields(batch))])

    with pytest.raises(WrongResultError, match="11 events were acknowledged"):
        verification.verify_all_stored(database_url, 11, timeout_seconds=0.3)


def test_the_generator_ends_when_nobody_listens() -> None:
    """A server that crashed must end a measurement and not block it."""
    outcome = asyncio.run(load_generator.run_load(LoadSpec(BenchServers.free_port(), 2, seconds=0.2)))

    assert (outcome.acknowledged, outcome.other_statuses) == (0, {"refused": 2})


@pytest.mark.long
def test_an_overload_is_measured_until_its_last_event_is_stored(servers: EmbeddedServers, tmp_path: Path) -> None:
    lab = BenchServers(tmp_path, servers.postgres, servers.valkey)

    table = overload.measure(lab, stored_per_second=200, seconds=1)

    rows = {row.name: row for row in table.rows}
    assert rows["offered"].ours.median == 300
    assert rows["refused"].ours.median == 0
    assert rows["Redis, most"].ours.median > 0
    assert any("300 acknowledged = stored" in note for note in table.notes)


@pytest.mark.long
def test_a_part_measures_checks_and_prints_a_document(tmp_path: Path) -> None:
    """Run the whole benchmark at a small size: servers, processes, load, verification and table."""
    printed = subprocess.run(
        [sys.executable, "-m", "dev.bench", "drain", "--quick", "--messages", "300", "--json"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert printed.returncode == 0, printed.stderr
    told = json.loads(printed.stdout)
    assert told["machine"]["cores"]
    assert [row["name"] for row in told["drain"]["tables"][0]["rows"]][:1] == ["one worker"]
    assert "300 acknowledged = stored" in told["drain"]["tables"][0]["notes"][0]
    assert list((tmp_path / "bench").iterdir()) == []
