"""Tests the metrics that the processes export to Prometheus, from the webhook to the dashboard's stream."""

import urllib.request
from contextlib import ExitStack
from pathlib import Path

from dev.chaos import event_generator
from dev.chaos.event_generator import EventGenerator
from dev.embedded.child_process import wait_until
from dev.embedded.servers import EmbeddedServers
from store.postgres import migrator
from tests.support.processes.observed_system import API_TOKEN, UNKNOWN_EVENT, ObservedSystem

MOST_SERIES = 400


def test_every_stage_counts_the_same_events(observed_system: ObservedSystem) -> None:
    """A comparison of these counts shows where events are stuck."""
    before = observed_system.metric_samples()
    bodies = [*EventGenerator(71).take(30), UNKNOWN_EVENT]
    assert {observed_system.post_webhook(body) for body in bodies} == {200}
    assert observed_system.post_webhook(b"{}", "sha256=" + "0" * 64) == 401

    def kept() -> bool:
        now = observed_system.metric_samples()
        grown = sum(value - before.get(name, 0) for name, value in now.items() if name.startswith("sak_worker_events"))
        return grown == len(bodies)

    assert wait_until(kept, 30), observed_system.output
    now = observed_system.metric_samples()
    grown = {name: value - before.get(name, 0.0) for name, value in now.items()}

    assert (
        grown["sak_ingest_received_webhooks_total"]
        == grown['sak_ingest_acknowledged_events_total{path="stream"}']
        == len(bodies)
    )
    assert grown["sak_ingest_batch_events_sum"] == grown["sak_worker_transaction_events_sum"] == len(bodies)
    assert grown['sak_ingest_refused_requests_total{code="bad_signature"}'] == 1
    assert grown['sak_worker_parked_events_total{reason="unknown_event"}'] == 1
    assert (now["sak_stream_oldest_seconds"] < 60, now["sak_spool_events"], now["sak_ingest_circuit_open"]) == (
        True,
        0,
        0,
    )


def test_slow_metrics_are_read_outside_the_scrape(observed_system: ObservedSystem) -> None:
    """These are the ledger, the sessions and Redis' settings, to which alerts refer."""
    body = EventGenerator(72).take(1)[0]
    assert observed_system.post_webhook(body) == 200
    session = f'sak_session_last_event_timestamp_seconds{{session="{event_generator.SESSION}"}}'

    assert wait_until(lambda: observed_system.metric_samples().get(session, 0) > event_generator.START_SECONDS, 45)
    assert wait_until(lambda: observed_system.metric_samples().get("sak_ledger_waiting_events") == 0, 45)
    now = observed_system.metric_samples()
    assert now["sak_ledger_lost_events"] == 0
    outcomes = sum(value for name, value in now.items() if name.startswith("sak_ledger_events"))
    assert now["sak_ledger_received_events"] == outcomes >= 1
    assert now['sak_redis_setting_durable{setting="policy"}'] == 1
    assert now['sak_redis_setting_durable{setting="persistence"}'] == 0, (
        "the tests' own Redis does not wait for its disk"
    )


def test_a_client_of_the_stream_is_counted_while_it_is_there(observed_system: ObservedSystem) -> None:
    """Streams stay open, so a leak of streams would eventually stop an api."""
    request = urllib.request.Request(
        observed_system.urls["api"] + "/api/stream", headers={"Authorization": f"Bearer {API_TOKEN}"}
    )
    before = observed_system.metric_samples()["sak_api_open_streams"]
    with urllib.request.urlopen(request, timeout=10) as answer:
        answer.readline()
        during = observed_system.metric_samples()["sak_api_open_streams"]

    assert (before, during) == (0, 1)
    assert wait_until(lambda: observed_system.metric_samples()["sak_api_open_streams"] == 0, 30)


def test_requests_of_strangers_create_no_new_series(observed_system: ObservedSystem) -> None:
    """A label with a stranger's text in it would fill Prometheus' memory."""
    observed_system.get("api", "/api/chats/919811000001")
    observed_system.get("api", "/nothing")
    observed_system.post_webhook(b"x", "sha256=1")
    known = set(observed_system.metric_samples())
    for number in range(40):
        observed_system.get("api", f"/api/chats/91981100{number:04}?limit=5")
        observed_system.get("api", f"/nothing/{number}?q={number}")
        observed_system.get("ingest", f"/nothing/{number}")
        observed_system.post_webhook(b"x", f"sha256={number}")
    after = set(observed_system.metric_samples())

    assert {name for name in after - known if "status=" not in name} == set()
    assert len(after) < MOST_SERIES
    assert not any("91981100" in name for name in after)


def test_the_pools_export_their_use(observed_system: ObservedSystem) -> None:
    observed_system.get("api", "/api/chats")
    now = observed_system.metric_samples()

    assert now['sak_api_pool_connections{pool="api",state="limit"}'] == 8
    assert now['sak_api_pool_connections{pool="api",state="idle"}'] >= 1
    assert now['sak_api_pool_waiting{pool="api"}'] == 0


def test_a_scrape_asks_neither_server(server_folder: Path, exit_stack: ExitStack) -> None:
    """Metrics must be available during an outage, and must not increase the load."""
    servers = EmbeddedServers.ephemeral(server_folder)
    exit_stack.callback(servers.stop)
    servers.start()
    migrator.migrate(servers.postgres.url)
    watched = ObservedSystem(servers.postgres.url, servers.valkey.url, exit_stack, server_folder)
    servers.stop()

    for _ in range(3):
        assert [watched.get(name, "/metrics")[0] for name in watched.urls] == [200, 200, 200]
    assert watched.post_webhook(UNKNOWN_EVENT) == 200
    assert wait_until(lambda: watched.metric_samples()["sak_spool_events"] == 1, 20)
    assert watched.metric_samples()['sak_ingest_acknowledged_events_total{path="spool"}'] == 1
