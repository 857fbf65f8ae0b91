"""Tests that PostgreSQL's primary dies permanently under load, and its standby is promoted."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from dev.chaos import ledger_command, verdict
from dev.embedded.postgres import EmbeddedPostgres
from store.feed import timelines
from store.postgres import connections, migrator
from tests.support.history import ledger_counts
from tests.support.history.history_writer import API_TOKEN, SENDER_PHONE, ApiClient, HistoryWriter, message_fact
from tests.support.processes.api_server import running_api
from tests.support.processes.fleet import ProcessFleet
from tests.support.servers import replication
from tests.support.stream.stream_writer import connect
from tests.support.waiting import wait_until
from worker.drain.stream import StreamConsumer

pytestmark = pytest.mark.long


@pytest.fixture
def primary(server_folder: Path) -> Iterator[EmbeddedPostgres]:
    with replication.running_primary(server_folder) as server:
        migrator.migrate(server.url)
        yield server


@pytest.fixture
def standby(primary: EmbeddedPostgres, server_folder: Path) -> Iterator[EmbeddedPostgres]:
    with replication.create_standby(primary, server_folder / "standby") as server:
        yield server


def named(url: str) -> ApiClient:
    http = requests.Session()
    http.headers["authorization"] = f"Bearer {API_TOKEN}"
    return ApiClient(url, http)


def test_with_a_synchronous_standby_a_promotion_costs_nothing(
    primary: EmbeddedPostgres, standby: EmbeddedPostgres, redis_url: str, server_folder: Path
) -> None:
    """Ingest does not use PostgreSQL.

    Workers find the new primary by a URL that names both, and the ledger is exact.
    """
    replication.require_synchronous_commit(primary)
    url = replication.failover_url(primary, standby)
    with ProcessFleet(server_folder, url, redis_url, verdict_url=standby.url, ingests=2, workers=2) as fleet:
        with fleet.create_sender(161, 40) as one, fleet.create_sender(162, 40, ingest=1) as two:
            assert fleet.wait_until(lambda: ledger_counts.count_events(primary.url) > 60), fleet.output
            [(epoch,)] = replication.fetch_rows(primary, "SELECT epoch FROM feed_epoch")
            primary.kill()
            fleet.wait(1.0)
            replication.promote(standby)
            more = ledger_counts.count_events(standby.url) + 60
            assert fleet.wait_until(lambda: ledger_counts.count_events(standby.url) > more), fleet.output

        assert not (wrong := fleet.find_problems(one.deliveries, two.deliveries)), wrong
        assert replication.fetch_rows(standby, "SELECT epoch FROM feed_epoch") != [(epoch,)], "a worker noticed"
        assert all(program.start_count == 1 for program in fleet.processes), fleet.output


def test_a_standby_that_lags_loses_nothing_that_the_stream_keeps(
    primary: EmbeddedPostgres, standby: EmbeddedPostgres, redis_url: str, server_folder: Path
) -> None:
    """Its last seconds are in the stream. Workers apply them again, and no id refers to another message than before."""
    url = replication.failover_url(primary, standby)
    environ = {"DATABASE_URL": url, "API_TOKEN": API_TOKEN}
    ids = "SELECT message_id, id FROM whatsapp_messages"
    with (
        ProcessFleet(server_folder, url, redis_url, verdict_url=standby.url, workers=2) as fleet,
        running_api(environ) as api_url,
        fleet.create_sender(166, 200) as sender,
    ):
        assert fleet.wait_until(lambda: ledger_counts.count_events(primary.url) > 400), fleet.output
        standby.stop()
        survived = ledger_counts.count_events(primary.url)
        fleet.wait(5.0)
        assert ledger_counts.count_events(primary.url) > survived + 400, fleet.output
        cursor = named(api_url).get_data("/api/changes")["cursor"]
        told = dict(replication.fetch_rows(primary, ids))
        primary.kill()
        standby.start()
        replication.promote(standby)
        kept = dict(replication.fetch_rows(standby, ids))
        assert fleet.wait_until(lambda: ledger_counts.count_events(standby.url) > survived + 1500, 60), fleet.output
        sender.__exit__(None, None, None)

        assert not (wrong := fleet.find_problems(sender.deliveries)), wrong
        assert named(api_url).get("/api/changes", since=cursor).status_code == 410
        now = dict(replication.fetch_rows(standby, ids))
    assert len(kept) < len(told), "the standby lagged"
    assert {name: now[name] for name in kept} == kept
    assert not {id_ for name, id_ in now.items() if name not in kept} & set(told.values()), "an id was given out again"
    assert "applying everything" in fleet.output


def test_without_one_the_ledger_names_what_the_dead_primary_took_along(
    primary: EmbeddedPostgres, standby: EmbeddedPostgres, redis_url: str, server_folder: Path
) -> None:
    """Data that was committed but not replicated is in no stream. The next event of its writer reveals the loss."""
    url = replication.failover_url(primary, standby)
    environment = {"STREAM_KEEP_SECONDS": "0"}
    with ProcessFleet(server_folder, url, redis_url, verdict_url=standby.url, environment=environment) as fleet:
        with fleet.create_sender(163, 40) as early:
            assert fleet.wait_until(lambda: ledger_counts.count_events(standby.url) > 40), fleet.output
        assert fleet.wait_until(
            lambda: ledger_counts.count_events(standby.url) == len(early.deliveries.acknowledged)
        ), fleet.output
        standby.stop()
        with fleet.create_sender(164, 40) as gone:
            wait_until(lambda: len(gone.deliveries.acknowledged) >= 10)
        taken = len(early.deliveries.acknowledged) + len(gone.deliveries.acknowledged)
        assert fleet.wait_until(lambda: ledger_counts.count_events(primary.url) == taken), fleet.output
        with connect(redis_url) as client:
            stream = StreamConsumer(client, "test")
            assert fleet.wait_until(lambda: stream.state().length == 0), "nothing is kept"
        primary.kill()
        standby.start()
        replication.promote(standby)
        with fleet.create_sender(165, 40) as late:
            wait_until(lambda: len(late.deliveries.acknowledged) >= 10)

        def told() -> int:
            return sum(gap["events"] for gap in ledger_of(standby).get("lost", ()))

        assert fleet.wait_until(lambda: told() == len(gone.deliveries.acknowledged), 60), ledger_of(standby)
        found = verdict.judge(standby.url, [*early.deliveries.acknowledged, *late.deliveries.acknowledged])
        assert (found.missing_events, found.duplicate_rows, found.unexpected_events, found.wrong_rows) == (
            0,
            0,
            0,
            [],
        ), found


def ledger_of(server: EmbeddedPostgres) -> dict[str, Any]:
    return ledger_command.read(server.url)[1]


def test_a_reader_of_the_feed_learns_that_another_server_was_promoted(
    primary: EmbeddedPostgres, standby: EmbeddedPostgres
) -> None:
    """The new primary reuses numbers of the old one. A cursor from the old one would skip the new changes."""
    history = HistoryWriter(primary.url)
    history.store(message_fact("before", id="A"))
    with connections.open(primary.url, "test") as connection:
        timelines.start_epoch_if_changed(connection)
    wait_until(lambda: replication.fetch_rows(standby, "SELECT timeline FROM feed_epoch") == [("00000001",)])
    environ = {"DATABASE_URL": replication.failover_url(primary, standby), "API_TOKEN": API_TOKEN}
    with running_api(environ) as url:
        client = named(url)
        page = client.get_data(f"/api/chats/{SENDER_PHONE}")
        replication.fetch_rows(standby, "SELECT pg_wal_replay_pause()")
        for number in range(5):
            history.store(message_fact("known only to the dead", number, id=f"D{number}"))
        cursor = client.get_data("/api/changes")["cursor"]
        primary.kill()
        replication.fetch_rows(standby, "SELECT pg_wal_replay_resume()")
        replication.promote(standby)
        with connections.open(environ["DATABASE_URL"], "worker") as connection:
            timelines.start_epoch_if_changed(connection)
            timelines.start_epoch_if_changed(connection)

        answer = client.get("/api/changes", since=cursor)
        assert (answer.status_code, answer.json()["code"]) == (410, "epoch_changed")
        marked = client.post(f"/api/chats/{SENDER_PHONE}/read", {"as_of": page["as_of"]})
        assert (marked.status_code, marked.json()["code"]) == (410, "epoch_changed")
        again = client.get_data("/api/changes")["cursor"]
        HistoryWriter(standby.url).store(message_fact("after", 9, id="Z"))
        wait_until(lambda: bool(client.get_data("/api/changes", since=again)["changes"]))


def test_a_replica_that_was_left_behind_on_the_old_timeline_is_not_read_from(
    primary: EmbeddedPostgres, standby: EmbeddedPostgres, server_folder: Path
) -> None:
    """It contains data that exist nowhere else, and its log position is even ahead."""
    history = HistoryWriter(primary.url)
    with connections.open(primary.url, "test") as connection:
        timelines.start_epoch_if_changed(connection)
    history.store(message_fact("common", id="A"))
    with replication.create_standby(primary, server_folder / "left") as left:
        shown = "SELECT count(*) FROM whatsapp_messages"
        wait_until(lambda: replication.fetch_rows(standby, shown) == [(1,)])
        standby.stop()
        history.store(message_fact("known only to the dead", 1, id="B"))
        wait_until(lambda: replication.fetch_rows(left, shown) == [(2,)])
        primary.kill()
        standby.start()
        replication.promote(standby)
        with connections.open(standby.url, "test") as connection:
            timelines.start_epoch_if_changed(connection)
        environ = {"DATABASE_URL": standby.url, "READ_DATABASE_URL": left.url, "API_TOKEN": API_TOKEN}
        with running_api(environ) as url:
            client = named(url)
            wait_until(lambda: "current timeline" in client.get("/readyz").json()["replica"]["reason"])
            data = client.get_data(f"/api/chats/{SENDER_PHONE}")

    assert [one["message_text"] for one in data["messages"]] == ["common"]
