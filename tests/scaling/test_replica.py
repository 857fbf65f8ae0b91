"""Tests an api that reads from a replica, which clients cannot distinguish."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests

from dev.embedded.postgres import EmbeddedPostgres
from store.feed import timelines
from store.postgres import migrator
from tests.support.history.history_writer import API_TOKEN, SENDER_PHONE, ApiClient, HistoryWriter, message_fact
from tests.support.processes.api_server import running_api
from tests.support.servers import pgbouncer, replication
from tests.support.servers.server_folder import temporary_server_folder
from tests.support.waiting import wait_until

SLOW = """
    INSERT INTO whatsapp_messages (message_id, session_id, direction, message_type, timestamp, key_id, chat_id,
        time_source, receive_order, content_state, content_rank, content_time, content_tie, unread)
    SELECT 'SLOW', session_id, direction, message_type, timestamp,
        (SELECT key_id FROM message_keys WHERE message_id = 'SLOW'), chat_id, time_source, receive_order, content_state,
        content_rank, content_time, content_tie, true
    FROM whatsapp_messages
    WHERE message_id = 'A'
"""


@dataclass(frozen=True)
class Pair:
    primary: EmbeddedPostgres
    replica: EmbeddedPostgres


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    """Return a primary and its replica, which a test may stop and must start again."""
    with temporary_server_folder() as folder, replication.running_primary(folder) as primary:
        migrator.migrate(primary.url)
        with replication.create_standby(primary, folder / "replica") as replica:
            yield Pair(primary, replica)


@pytest.fixture
def history(pair: Pair) -> HistoryWriter:
    """Return a history on the primary, without data of other tests."""
    told = HistoryWriter(pair.primary.url)
    told.execute(
        "TRUNCATE chats, whatsapp_messages, message_keys, batches, raw_events, event_digests, sends, sessions, "
        "search_index CASCADE"
    )
    with psycopg.connect(pair.primary.url, autocommit=True) as connection:
        timelines.advance_epoch(connection)
    return told


@pytest.fixture
def client(pair: Pair) -> Iterator[ApiClient]:
    environ = {"DATABASE_URL": pair.primary.url, "READ_DATABASE_URL": pair.replica.url, "API_TOKEN": API_TOKEN}
    with running_api(environ) as url, requests.Session() as http:
        http.headers["authorization"] = f"Bearer {API_TOKEN}"
        client = ApiClient(url, http)
        wait_until(lambda: state(client)["answers"])
        yield client


def state(client: ApiClient) -> dict[str, Any]:
    return client.get("/readyz").json()["replica"]


def answered(client: ApiClient, server: str = "replica") -> float:
    [line] = [
        line
        for line in client.get("/metrics").text.splitlines()
        if line.startswith(f'sak_api_replica_eligible_reads_total{{server="{server}"}}')
    ]
    return float(line.rpartition(" ")[2])


def from_replica(client: ApiClient, read: Callable[[], object]) -> Any:  # noqa: ANN401 - whatever was read
    """Return the response of the replica, which may have to catch up first."""
    found: list[object] = []

    def by_replica() -> bool:
        before = answered(client)
        found[:] = [read()]
        return answered(client) > before

    wait_until(by_replica)
    return found[0]


def texts(client: ApiClient) -> list[str]:
    return [one["message_text"] for one in client.get_data(f"/api/chats/{SENDER_PHONE}")["messages"]]


def test_read_requests_are_served_by_the_replica(history: HistoryWriter, client: ApiClient) -> None:
    """Dashboards mainly request lists, conversations, search and statistics."""
    history.store(message_fact("from afar", id="A"))
    before = answered(client)
    for path in ("/api/chats", f"/api/chats/{SENDER_PHONE}", "/api/search?q=afar", "/api/stats"):
        from_replica(client, lambda path=path: client.get(path))

    assert answered(client) >= before + 4
    assert texts(client) == ["from afar"]
    lag = state(client)["lag_seconds"]
    assert isinstance(lag, float)


def test_a_reader_sees_what_it_did_however_far_the_replica_lags(
    pair: Pair, history: HistoryWriter, client: ApiClient
) -> None:
    """A reader who has just read a chat must not see it as unread, nor miss a message that the stream delivered."""
    history.store(message_fact("first", id="A"))
    from_replica(client, lambda: texts(client))
    replication.fetch_rows(pair.replica, "SELECT pg_wal_replay_pause()")
    try:
        cursor = client.get_data("/api/changes")["cursor"]
        history.store(message_fact("second", 1, id="B"))
        wait_until(lambda: bool(client.get_data("/api/changes", since=cursor)["changes"]))
        seen = texts(client)
        client.post(f"/api/chats/{SENDER_PHONE}/read")
        [chat] = client.get_data("/api/chats")["contacts"]
    finally:
        replication.fetch_rows(pair.replica, "SELECT pg_wal_replay_resume()")

    assert seen == ["first", "second"]
    assert chat["unread_count"] == 0
    assert from_replica(client, lambda: texts(client)) == ["first", "second"]


def test_a_replicas_snapshot_does_not_tell_what_is_running(pair: Pair, history: HistoryWriter) -> None:
    """This is why a page from a replica needs another `as_of`.

    If it changes, remove store/reading/replica_snapshots.py.
    """
    with psycopg.connect(pair.primary.url) as slow:
        row = slow.execute("SELECT pg_current_xact_id()::text::bigint").fetchone()
        assert row is not None
        history.store(message_fact("later", id="L"))
        seen = "SELECT count(*) FROM whatsapp_messages WHERE message_id = 'L'"
        wait_until(lambda: replication.fetch_rows(pair.replica, seen) == [(1,)])
        [(xmin, running)] = replication.fetch_rows(
            pair.replica,
            "SELECT pg_snapshot_xmin(s)::text::bigint, (SELECT count(*) FROM pg_snapshot_xip(s))"
            " FROM pg_current_snapshot() AS s",
        )

    assert xmin <= row[0], "the horizon of the feed is right, also there"
    assert running == 0, "but nothing is said to be running"


def test_messages_of_a_transaction_unseen_by_the_replica_stay_unread(history: HistoryWriter, client: ApiClient) -> None:
    """It commits after the page was created. By the replica's own snapshot it would count as shown."""
    history.store(message_fact("shown", id="A"))
    with psycopg.connect(history.database_url) as slow:
        slow.execute("SELECT pg_current_xact_id()")
        slow.execute(
            "INSERT INTO message_keys (session_number, message_id) SELECT session_number, 'SLOW' FROM sessions"
        )
        slow.execute(SLOW)
        history.store(message_fact("shown too", 1, id="B"))
        wait_until(lambda: texts(client) == ["shown", "shown too"])
        page = from_replica(client, lambda: client.get_data(f"/api/chats/{SENDER_PHONE}"))
    history.store(message_fact("after it", 2, id="C"))
    left = client.post(f"/api/chats/{SENDER_PHONE}/read", {"as_of": page["as_of"]})

    assert left.json()["data"]["unread_count"] == 2
    assert set(history.rows("SELECT message_id FROM whatsapp_messages WHERE unread")) == {("SLOW",), ("C",)}


def test_without_its_replica_the_api_answers_as_before(pair: Pair, history: HistoryWriter, client: ApiClient) -> None:
    """A replica may restart at any time. Only its share of the load moves to the primary."""
    history.store(message_fact("still here", id="A"))
    from_replica(client, lambda: texts(client))
    pair.replica.kill()
    try:
        seen = [texts(client) for _ in range(3)]
        ready = client.get("/readyz")
        wait_until(lambda: not state(client)["answers"])
    finally:
        pair.replica.start()

    assert seen == [["still here"]] * 3
    assert ready.status_code == 200
    wait_until(lambda: state(client)["answers"])
    assert from_replica(client, lambda: texts(client)) == ["still here"]


def test_without_the_primary_the_replica_still_shows_what_there_is(
    pair: Pair, history: HistoryWriter, client: ApiClient
) -> None:
    """Nothing can be written then, so no change can be missed. Reading continues until a promotion."""
    history.store(message_fact("last words", id="A"))
    from_replica(client, lambda: texts(client))
    pair.primary.kill()
    try:
        seen = texts(client)
        refused = client.post(f"/api/chats/{SENDER_PHONE}/read")
    finally:
        pair.primary.start()

    assert seen == ["last words"]
    assert refused.status_code == 503
    wait_until(lambda: client.get("/readyz").status_code == 200)


def test_a_server_that_is_no_replica_is_not_read_from(pair: Pair, history: HistoryWriter) -> None:
    """After a promotion, READ_DATABASE_URL may refer to the primary itself, or to an outdated server."""
    history.store(message_fact("one", id="A"))
    environ = {"DATABASE_URL": pair.primary.url, "READ_DATABASE_URL": pair.primary.url, "API_TOKEN": API_TOKEN}
    with running_api(environ) as url, requests.Session() as http:
        http.headers["authorization"] = f"Bearer {API_TOKEN}"
        client = ApiClient(url, http)
        wait_until(lambda: "not a replica" in str(state(client)["reason"]))

        assert texts(client) == ["one"]
        assert answered(client) == 0


def test_a_replica_behind_a_pooler_answers_as_well(pair: Pair, history: HistoryWriter, server_folder: Path) -> None:
    """There are many readers, and the replica has no more connections than the primary."""
    history.store(message_fact("pooled", id="A"))
    with pgbouncer.running(pair.replica, server_folder, pool_size=2) as port:
        read_url = f"postgresql://app@127.0.0.1:{port}/history"
        environ = {"DATABASE_URL": pair.primary.url, "READ_DATABASE_URL": read_url, "API_TOKEN": API_TOKEN}
        with running_api(environ) as url, requests.Session() as http:
            http.headers["authorization"] = f"Bearer {API_TOKEN}"
            client = ApiClient(url, http)
            wait_until(lambda: state(client)["answers"])

            assert from_replica(client, lambda: texts(client)) == ["pooled"]
