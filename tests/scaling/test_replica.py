"""An api that reads from a replica: nobody can tell, but for the load."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests

from dev.embedded import data_folder
from dev.embedded.postgres import Postgres
from store.feed import timelines
from store.postgres import migrator
from tests.api.conftest import serving
from tests.end_to_end.conftest import eventually
from tests.support import pgbouncer, replication
from tests.support.history_writer import PHONE, TOKEN, Client, History, message

SLOW = """
    INSERT INTO whatsapp_messages (message_id, session_id, direction, message_type, timestamp, key_id, chat_id,
        time_source, arrived, content_state, content_rank, content_time, content_tie, unread)
    SELECT 'SLOW', session_id, direction, message_type, timestamp,
        (SELECT key_id FROM keys WHERE message_id = 'SLOW'), chat_id, time_source, arrived, content_state,
        content_rank, content_time, content_tie, true
    FROM whatsapp_messages
    WHERE message_id = 'A'
"""


@dataclass(frozen=True)
class Pair:
    primary: Postgres
    replica: Postgres


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    """A primary and its replica, which a test may stop and has to start again."""
    folder = data_folder.temporary()
    with replication.primary(folder) as primary:
        migrator.migrate(primary.url)
        with replication.standby(primary, folder / "replica") as replica:
            yield Pair(primary, replica)
    shutil.rmtree(folder)


@pytest.fixture
def history(pair: Pair) -> History:
    """On the primary, emptied of what other tests told."""
    told = History(pair.primary.url)
    told.run("TRUNCATE chats, whatsapp_messages, keys, batches, events, digests, sends, sessions, searchable CASCADE")
    with psycopg.connect(pair.primary.url, autocommit=True) as connection:
        timelines.begin(connection)
    return told


@pytest.fixture
def client(pair: Pair) -> Iterator[Client]:
    environ = {"DATABASE_URL": pair.primary.url, "READ_DATABASE_URL": pair.replica.url, "API_TOKEN": TOKEN}
    with serving(environ) as url, requests.Session() as http:
        http.headers["authorization"] = f"Bearer {TOKEN}"
        client = Client(url, http)
        eventually(lambda: state(client)["answers"])
        yield client


def state(client: Client) -> dict[str, Any]:
    return client.get("/readyz").json()["replica"]


def answered(client: Client, server: str = "replica") -> float:
    [line] = [
        line
        for line in client.get("/metrics").text.splitlines()
        if line.startswith(f'sak_api_reads_total{{server="{server}"}}')
    ]
    return float(line.rpartition(" ")[2])


def from_replica(client: Client, read: Callable[[], object]) -> Any:  # noqa: ANN401 - whatever was read
    """What the replica says, which may have to catch up first."""
    found: list[object] = []

    def by_replica() -> bool:
        before = answered(client)
        found[:] = [read()]
        return answered(client) > before

    eventually(by_replica)
    return found[0]


def texts(client: Client) -> list[str]:
    return [one["message_text"] for one in client.data(f"/api/chats/{PHONE}")["messages"]]


def test_what_only_reads_is_answered_by_the_replica(history: History, client: Client) -> None:
    """Lists, conversations, search and numbers are nearly all that dashboards ask."""
    history.tell(message("from afar", id="A"))
    before = answered(client)
    for path in ("/api/chats", f"/api/chats/{PHONE}", "/api/search?q=afar", "/api/stats"):
        from_replica(client, lambda path=path: client.get(path))

    assert answered(client) >= before + 4
    assert texts(client) == ["from afar"]
    lag = state(client)["lag_seconds"]
    assert isinstance(lag, float)


def test_a_reader_sees_what_it_did_however_far_the_replica_lags(pair: Pair, history: History, client: Client) -> None:
    """Whoever has just read a chat must not see it unread again, nor miss a message that the stream has told of."""
    history.tell(message("first", id="A"))
    from_replica(client, lambda: texts(client))
    replication.ask(pair.replica, "SELECT pg_wal_replay_pause()")
    try:
        cursor = client.data("/api/changes")["cursor"]
        history.tell(message("second", 1, id="B"))
        eventually(lambda: bool(client.data("/api/changes", since=cursor)["changes"]))
        seen = texts(client)
        client.post(f"/api/chats/{PHONE}/read")
        [chat] = client.data("/api/chats")["contacts"]
    finally:
        replication.ask(pair.replica, "SELECT pg_wal_replay_resume()")

    assert seen == ["first", "second"]
    assert chat["unread_count"] == 0
    assert from_replica(client, lambda: texts(client)) == ["first", "second"]


def test_a_replicas_snapshot_does_not_tell_what_is_running(pair: Pair, history: History) -> None:
    """Why a page of a replica's needs another `as_of`: if this changes, store/reading/replica_snapshots.py can go."""
    with psycopg.connect(pair.primary.url) as slow:
        row = slow.execute("SELECT pg_current_xact_id()::text::bigint").fetchone()
        assert row is not None
        history.tell(message("later", id="L"))
        seen = "SELECT count(*) FROM whatsapp_messages WHERE message_id = 'L'"
        eventually(lambda: replication.ask(pair.replica, seen) == [(1,)])
        [(xmin, running)] = replication.ask(
            pair.replica,
            "SELECT pg_snapshot_xmin(s)::text::bigint, (SELECT count(*) FROM pg_snapshot_xip(s))"
            " FROM pg_current_snapshot() AS s",
        )

    assert xmin <= row[0], "the horizon of the feed is right, also there"
    assert running == 0, "but nothing is said to be running"


def test_what_was_running_when_the_replica_showed_a_page_stays_unread(history: History, client: Client) -> None:
    """It commits after the page was drawn; by the replica's own snapshot it would pass for shown."""
    history.tell(message("shown", id="A"))
    with psycopg.connect(history.database_url) as slow:
        slow.execute("SELECT pg_current_xact_id()")
        slow.execute("INSERT INTO keys (session, message_id) SELECT session, 'SLOW' FROM sessions")
        slow.execute(SLOW)
        history.tell(message("shown too", 1, id="B"))
        eventually(lambda: texts(client) == ["shown", "shown too"])
        page = from_replica(client, lambda: client.data(f"/api/chats/{PHONE}"))
    history.tell(message("after it", 2, id="C"))
    left = client.post(f"/api/chats/{PHONE}/read", {"as_of": page["as_of"]})

    assert left.json()["data"]["unread_count"] == 2
    assert set(history.rows("SELECT message_id FROM whatsapp_messages WHERE unread")) == {("SLOW",), ("C",)}


def test_without_its_replica_the_api_answers_as_before(pair: Pair, history: History, client: Client) -> None:
    """A replica may be rebooted at any time; nothing but its share of the load comes back to the primary."""
    history.tell(message("still here", id="A"))
    from_replica(client, lambda: texts(client))
    pair.replica.kill()
    try:
        seen = [texts(client) for _ in range(3)]
        ready = client.get("/readyz")
        eventually(lambda: not state(client)["answers"])
    finally:
        pair.replica.start()

    assert seen == [["still here"]] * 3
    assert ready.status_code == 200
    eventually(lambda: state(client)["answers"])
    assert from_replica(client, lambda: texts(client)) == ["still here"]


def test_without_the_primary_the_replica_still_shows_what_there_is(
    pair: Pair, history: History, client: Client
) -> None:
    """Nothing can be written then, so nothing can be missed: reading goes on until somebody is promoted."""
    history.tell(message("last words", id="A"))
    from_replica(client, lambda: texts(client))
    pair.primary.kill()
    try:
        seen = texts(client)
        refused = client.post(f"/api/chats/{PHONE}/read")
    finally:
        pair.primary.start()

    assert seen == ["last words"]
    assert refused.status_code == 503
    eventually(lambda: client.get("/readyz").status_code == 200)


def test_a_server_that_is_no_replica_is_not_read_from(pair: Pair, history: History) -> None:
    """After a promotion READ_DATABASE_URL may lead to the primary itself, or to one that was left behind."""
    history.tell(message("one", id="A"))
    environ = {"DATABASE_URL": pair.primary.url, "READ_DATABASE_URL": pair.primary.url, "API_TOKEN": TOKEN}
    with serving(environ) as url, requests.Session() as http:
        http.headers["authorization"] = f"Bearer {TOKEN}"
        client = Client(url, http)
        eventually(lambda: "no replica" in str(state(client)["reason"]))

        assert texts(client) == ["one"]
        assert answered(client) == 0


def test_a_replica_behind_a_pooler_answers_as_well(pair: Pair, history: History, folder: Path) -> None:
    """Readers are many, and the replica has no more connections than the primary."""
    history.tell(message("pooled", id="A"))
    with pgbouncer.before(pair.replica, folder, size=2) as port:
        read_url = f"postgresql://app@127.0.0.1:{port}/history"
        environ = {"DATABASE_URL": pair.primary.url, "READ_DATABASE_URL": read_url, "API_TOKEN": TOKEN}
        with serving(environ) as url, requests.Session() as http:
            http.headers["authorization"] = f"Bearer {TOKEN}"
            client = Client(url, http)
            eventually(lambda: state(client)["answers"])

            assert from_replica(client, lambda: texts(client)) == ["pooled"]
