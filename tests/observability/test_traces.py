"""Tests that a trace covers the path from the webhook to the COMMIT, over both processes, as a collector sees it."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from dev.chaos import event_generator
from dev.chaos.event_generator import EventGenerator
from dev.checkout import ROOT
from dev.embedded.child_process import wait_until
from dev.embedded.managed_process import ManagedProcess
from dev.supervisor import listeners
from ingest.queue import contract
from tests.support.processes.observed_system import ObservedSystem
from tests.support.servers.otlp_collector import OtlpCollector

POST, XADD, DRAIN, COMMIT, XACK = "POST /whatsapp-webhook", "XADD", "drain", "PostgreSQL transaction", "XACK"
BATCH = contract.RawBatch("ab" * 16, 3, 7, (1, 2), (b"x", b"yz"), 4)


def test_a_webhook_is_one_trace_until_its_commit(
    database_url: str, redis_url: str, tmp_path: Path, exit_stack: ExitStack
) -> None:
    """One trace must show where a slow message spent its time, without a search in each process."""
    collector = exit_stack.enter_context(OtlpCollector())
    told = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    watched = ObservedSystem(database_url, redis_url, exit_stack, tmp_path, **told)
    bodies = EventGenerator(61).take(20)
    assert watched.post_webhook(bodies[0]) == 200
    names = (POST, XADD, DRAIN, COMMIT, XACK)
    # The processes send independently, so the last span is not necessarily the last to arrive.
    assert wait_until(lambda: all(map(collector.spans_named, names)), 20), watched.output

    chain = [collector.spans_named(name)[0] for name in names]
    post, xadd, drain, commit, xack = chain
    assert len({span.trace_id for span in chain}) == 1
    assert [span.service for span in chain] == ["sak-ingest", "sak-ingest", "sak-worker", "sak-worker", "sak-worker"]
    assert (post.parent_id, xadd.parent_id, drain.parent_id) == ("", post.span_id, xadd.span_id)
    assert (commit.parent_id, xack.parent_id) == (drain.span_id, drain.span_id)
    assert (
        xadd.started_ns
        <= drain.started_ns
        <= commit.started_ns
        <= commit.ended_ns
        <= xack.started_ns
        <= xack.ended_ns
        <= drain.ended_ns
    )
    assert post.attributes["sak.event"] == xadd.attributes["sak.batch"] + ":0"
    assert (xadd.attributes["sak.path"], collector.paths) == ("stream", {"/v1/traces"})

    with ThreadPoolExecutor(10) as threads:
        assert set(threads.map(watched.post_webhook, bodies[1:])) == {200}
    wait_until(lambda: len(collector.spans_named(POST)) == 20 and _linked(collector) >= _ids(collector), 20)
    ids = _ids(collector)

    assert len(ids) == 20
    assert _linked(collector) >= ids, "a batch of several is in one's trace and linked to the others'"
    for word in (event_generator.SECRET, *event_generator.WORDS[:5], "3EB0", "91981"):
        assert word.encode() not in collector.raw_bodies, word


def _ids(collector: OtlpCollector) -> set[str]:
    return {span.span_id for span in collector.spans_named(POST)}


def _linked(collector: OtlpCollector) -> set[str]:
    """Return the requests in a drain's span, each of which has its batch's first request as the parent's parent."""
    parents = {span.span_id: span.parent_id for span in collector.spans_named(XADD)}
    return {
        each
        for span in collector.spans_named(DRAIN)
        for each in (*span.linked_span_ids, parents.get(span.parent_id, ""))
    }


@pytest.mark.long
def test_an_absent_collector_costs_no_event_and_delays_no_shutdown(
    database_url: str, redis_url: str, tmp_path: Path, exit_stack: ExitStack
) -> None:
    """Observability must not be able to stop the observed processes."""
    told = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_BSP_SCHEDULE_DELAY": "100"}
    watched = ObservedSystem(database_url, redis_url, exit_stack, tmp_path, **told)
    assert {watched.post_webhook(body) for body in EventGenerator(62).take(5)} == {200}
    assert wait_until(lambda: watched.metric_samples().get('sak_worker_events_total{outcome="stored"}', 0) > 0, 20)

    assert [watched.programs[name].terminate() for name in ("ingest", "worker")] == [0, 0]


def test_without_its_variables_opentelemetry_is_not_imported() -> None:
    """Without tracing there is no cost: neither a module nor a byte in an entry."""
    program = """
import sys
import ingest.app, worker.__main__
from telemetry import traces
assert traces.configure("ingest", {}) is None
assert traces.configure("ingest", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "true"}) is None
assert traces.configure("ingest", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_TRACES_EXPORTER": "none"}) is None
# redis-py imports a little of what it finds installed; exporter and protocol are ours to leave alone.
heavy = ("telemetry.otlp", "opentelemetry.exporter", "google.protobuf")
print([name for name in sys.modules if name.startswith(heavy)])
"""
    said = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert said.strip() == "[]"
    assert "trace" not in json.loads(contract.to_fields(BATCH)[b"head"])


def test_a_reader_without_tracing_reads_a_traced_batch() -> None:
    """Ingest may be upgraded first, or may be the only process with tracing."""
    fields = contract.to_fields(BATCH._replace(traceparents=("a", "b")))

    assert contract.from_fields(fields) == BATCH
    assert contract.traceparents(fields) == ("a", "b")
    assert set(fields) == {b"head", b"bodies"}


@pytest.mark.parametrize("head", [b"", b"[]", b'{"trace":7}', b'{"trace":{}}', b"\xff", b"[" * 100_000])
def test_a_malformed_trace_counts_as_none(head: bytes) -> None:
    """A client that can write to Redis must not be able to stop a drain with an invalid trace."""
    assert contract.traceparents({b"head": head}) == ()


@pytest.mark.parametrize(
    ("prelude", "environment", "sentence"),
    [
        (None, {"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER must be otlp or none"),
        (
            "import sys; sys.modules['opentelemetry'] = None",
            {"OTEL_TRACES_EXPORTER": "otlp"},
            "requirements-tracing.lock",
        ),
    ],
)
def test_traces_that_cannot_start_end_the_process_with_a_sentence(
    prelude: str | None, environment: dict[str, str], sentence: str, tmp_path: Path
) -> None:
    """Otherwise, an operator who enabled traces would search for them in the wrong place."""
    servers = {"DATABASE_URL": "postgresql://127.0.0.1:1/x", "REDIS_URL": "redis://127.0.0.1:1", "WEBHOOK_SECRETS": "s"}
    with listeners.open_listener("127.0.0.1", 0, "INGEST_PORT") as listener:
        shared = {**servers, **environment, "DATA_DIR": str(tmp_path), "LISTEN_FD": str(listener.fileno())}
        for module in ("ingest", "worker"):
            log = tmp_path / f"{module}.log"
            with ManagedProcess(module, shared, log, prelude=prelude, pass_fds=(listener.fileno(),)) as program:
                assert program.wait(30) != 0
                assert sentence in program.output
                assert "Traceback" not in program.output
