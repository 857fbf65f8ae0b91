"""Backfills from gateways with documented paging store each message once, mark none as unread, and can be resumed."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg
import pytest

from store.erasure.suppressions import SuppressionCache
from store.ingestion import apply, backfills
from store.ledger import ledger
from store.model.batches import Batch, Event
from store.postgres import connections
from tests.support.senders.pretend_gateways import API_KEY, SESSION, PagedGateway, PastMessage
from worker.backfill import gateways
from worker.backfill.errors import BackfillError
from worker.backfill.run import BackfillRun, Progress
from worker.senders import dispatch

BASE = 1_789_000_000
NOW = (BASE + 1_000_000) * 1000
PHONES = ("919811000011", "919812000012", "919813000013")
MESSAGES = [
    PastMessage(phone, f"3A{chat}{number:04}", f"message {number}", BASE + 60 * number + chat, number % 3 == 0)
    for chat, phone in enumerate(PHONES)
    for number in range(90)
]
PAGE_SIZE = 40


@dataclass(slots=True)
class Scene:
    """A pretend gateway and a database."""

    gateway: PagedGateway
    database_url: str
    since: int | None = None
    progress: Progress = field(default_factory=Progress)

    @property
    def sender(self) -> str:
        return f"{self.gateway.kind}:shop"

    def run(
        self, *, stopped: Callable[[], bool] = lambda: False, restart: bool = False, api_key: str = API_KEY
    ) -> bool:
        client = gateways.connect(self.gateway.kind, self.gateway.url, api_key, pause_seconds=0)
        with connections.open(self.database_url, "test") as connection:
            backfill = backfills.begin(connection, self.sender, self.since, NOW, restart=restart)
            run = BackfillRun(connection, client, None, SuppressionCache(), NOW)
            self.progress = run.progress
            return run.run(backfill, stopped)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            return connection.execute(query.encode()).fetchall()

    def texts(self) -> list[tuple[Any, ...]]:
        return self.rows("SELECT from_number, message_text FROM whatsapp_messages ORDER BY timestamp")


@pytest.fixture(params=gateways.KINDS)
def scene(request: pytest.FixtureRequest, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.setattr(gateways, "PAGE_SIZE", PAGE_SIZE)
    with ExitStack() as stack:
        gateway = PagedGateway(request.param, MESSAGES, page_size=PAGE_SIZE)
        stack.callback(gateway.close)
        yield Scene(gateway, database_url)


def test_every_message_is_stored_once_and_none_is_unread(scene: Scene) -> None:
    """Raw events name the sender, and a second run finds only known messages."""
    assert scene.run()

    chats = scene.rows("SELECT address, unread, last_timestamp FROM chats ORDER BY address")
    assert chats == [(phone, 0, (BASE + 60 * 89 + chat) * 1000) for chat, phone in enumerate(PHONES)]
    assert scene.progress.counts == {"stored": len(MESSAGES)}
    assert scene.rows("SELECT count(*), count(DISTINCT message_id) FROM whatsapp_messages") == [(270, 270)]
    assert scene.rows("SELECT DISTINCT session_id FROM whatsapp_messages") == [(f"shop:{SESSION}",)]
    assert scene.rows("SELECT DISTINCT sender FROM raw_events") == [(scene.sender,)]

    assert scene.run()
    assert scene.progress.counts == {"duplicate": len(MESSAGES)}
    assert scene.rows("SELECT sum(size), sum(stored), sum(duplicate) FROM batches") == [(540, 270, 270)]


def test_the_place_that_is_shown_controls_no_terminal(database_url: str) -> None:
    gateway = PagedGateway("waha", [PastMessage("9198\x1b[2J\u202e", "3A01", "Hi", BASE)])
    scene = Scene(gateway, database_url)

    assert scene.run()
    gateway.close()
    assert scene.progress.place == f"{SESSION} 9198\\x1b[2J\\u202e@c.us"


def test_an_interrupted_backfill_goes_on_where_it_stopped(scene: Scene) -> None:
    """After a stop, at most one page is read again."""
    done = False
    for _ in range(20):
        asked = iter((False, False, True))
        if done := scene.run(stopped=lambda asked=asked: next(asked, True)):
            break

    assert done
    assert scene.rows("SELECT count(*) FROM whatsapp_messages") == [(270,)]
    assert len(scene.gateway.calls) == len(set(scene.gateway.calls))


def test_only_messages_from_a_time_on_are_read(scene: Scene) -> None:
    scene.since = (BASE + 60 * 80) * 1000

    assert scene.run()

    assert scene.rows("SELECT count(*) FROM whatsapp_messages") == [(30,)]


@pytest.mark.parametrize("scene", ["waha"], indirect=True)
def test_a_message_that_came_live_is_the_same_message(scene: Scene) -> None:
    """The message stays unread, and the chat's newest message stays the same."""
    newest = replace(MESSAGES[88], text="message 88")
    payload = {"id": f"false_{newest.chat}@c.us_{newest.message_id}", "timestamp": newest.time, "body": newest.text}
    live = json.dumps({"event": "message", "session": SESSION, "payload": payload}).encode()
    outcome = dispatch.parse("waha:shop", live).outcome
    event = Event(0, NOW, live, b"1" * 32, outcome, 0, "waha:shop")
    with connections.open(scene.database_url, "test") as connection:
        apply.batches(connection, [Batch("a" * 32, 1, 1, (event,))])

    assert scene.run()

    assert scene.rows("SELECT count(*) FROM whatsapp_messages") == [(270,)]
    assert scene.rows("SELECT message_id FROM whatsapp_messages WHERE unread") == [(newest.message_id,)]
    assert scene.rows(f"SELECT unread, last_timestamp FROM chats WHERE address = '{newest.chat}'") == [
        (1, (BASE + 60 * 89) * 1000)
    ]


@pytest.mark.parametrize("scene", ["waha"], indirect=True)
def test_a_busy_gateway_is_asked_again_and_a_wrong_key_is_not(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway that is starting, or that limits its clients, must not make the backfill fail."""
    monkeypatch.setattr("worker.backfill.http_client.MAX_WAIT_SECONDS", 0.01)
    scene.gateway.failures = [(503, ""), (429, "1"), (500, "")]
    assert scene.run()

    with pytest.raises(BackfillError, match="401: the api_key of the sender is wrong"):
        scene.run(api_key="user:another")


@pytest.mark.parametrize("scene", ["waha"], indirect=True)
def test_the_ledger_is_exact_about_a_backfill(scene: Scene) -> None:
    scene.run()

    with connections.open(scene.database_url, "test") as connection:
        read = ledger.read(connection)
    assert (read.received, read.stored, read.duplicate, read.lost) == (270, 270, 0, ())


@pytest.mark.parametrize("scene", ["waha"], indirect=True)
def test_a_gateway_that_answers_without_end_is_given_up(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """It could fill the memory of the machine that runs the worker."""
    monkeypatch.setattr("worker.backfill.http_client.MAX_RESPONSE_BYTES", 1 << 20)
    scene.gateway.messages = [*MESSAGES, PastMessage(PHONES[0], "3AF", "x" * (2 << 20), BASE + 100_000)]
    with pytest.raises(BackfillError, match="more than 1 MiB"):
        scene.run()

    monkeypatch.setattr("worker.backfill.gateways._MAX_CHATS", 2)
    monkeypatch.setattr(gateways, "PAGE_SIZE", 1)
    scene.gateway.page_size = 1
    with pytest.raises(BackfillError, match="more than 2 chats"):
        scene.run()
