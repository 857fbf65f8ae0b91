"""Tests the reader of SAK's list of sent messages: its intervals, its range, and the rows of its entries."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from api.gateway.client import SakClient
from api.gateway.settings import SakSettings
from api.sending.history_reader import HistoryReader
from api.settings import Settings as ApiSettings
from dev.gateway.misbehaviour import Misbehaviour
from dev.gateway.server import PretendGateway
from store.postgres.pool import Pool
from telemetry.errors import SettingsError
from tests.support.history.history_writer import HistoryWriter, message_fact
from tests.support.processes.sending_api import FAST_TIMEOUTS, RECIPIENT_PHONE, SESSION_ID, SHORT_TIMEOUTS, ApiStarter
from tests.support.waiting import wait_until

CALL = "GET /messages/history"


@pytest.fixture
def reader(database_url: str, gateway: PretendGateway) -> Iterator[HistoryReader]:
    settings = SakSettings.from_environ(gateway.account.to_environ(gateway.base_url))
    assert settings
    pool = Pool(database_url, "history", size=1, read_only=False)
    pool.open()
    with SakClient(settings, replace(FAST_TIMEOUTS, total=0.5, max_attempts=1)) as sak:
        yield HistoryReader(pool, sak, SESSION_ID, "919800000000", 600)
    pool.close()


def read(reader: HistoryReader, history: HistoryWriter) -> int | None:
    """Return the result of a read that is due."""
    reader.read()
    history.execute("UPDATE gateway_history_reads SET next_read_at = now()")
    return reader.read()


def pause(history: HistoryWriter) -> int:
    """Return the number of seconds until the next read."""
    ((seconds,),) = history.rows("SELECT round(extract(epoch FROM next_read_at - now())) FROM gateway_history_reads")
    return int(seconds)


def age(gateway: PretendGateway, seconds: float = 300) -> None:
    """Set the ages of the entries of SAK's list, oldest first."""
    sent = gateway.state.sent_messages()
    times = [time.time() - seconds - 0.001 * (len(sent) - number) for number in range(len(sent))]
    gateway.state._history[:] = [  # pyright: ignore[reportPrivateUsage] - the gateway has no clock to turn
        replace(one, created_at=datetime.fromtimestamp(at, UTC).isoformat())
        for one, at in zip(sent, times, strict=True)
    ]


def outgoing(history: HistoryWriter) -> list[tuple[str, str, str | None]]:
    return history.rows(
        "SELECT message_id, message_type, message_text FROM whatsapp_messages WHERE direction = 'outgoing'"
        " ORDER BY timestamp, id"
    )


def test_a_message_of_another_client_is_a_row_and_ends_the_waiting(
    reader: HistoryReader, gateway: PretendGateway, history: HistoryWriter, lend_api: ApiStarter
) -> None:
    """The owner answers with another client of the gateway, which sends no event about it."""
    asked_at = time.time_ns() // 1_000_000 - 600_000
    history.store(replace(message_fact("price?", address=RECIPIENT_PHONE), time=asked_at), session=SESSION_ID)
    api = lend_api()
    before = api.get_data("/api/stats")["waiting"]["chats"]
    sent = gateway.state.send(f"+{RECIPIENT_PHONE}", "text", "40 rupees", None, None)
    gateway.state.send(RECIPIENT_PHONE, "image", "", None, "failed")
    gateway.state.send(RECIPIENT_PHONE, "video", "", None, "queued")
    age(gateway)
    found = [read(reader, history), read(reader, history)]
    stats = api.get_data("/api/stats")
    shown = api.get_data(f"/api/chats/{RECIPIENT_PHONE}")["messages"]

    assert (before, found, stats["waiting"]["chats"]) == (1, [1, 0], 0)
    assert sum(step["outgoing"] for step in stats["messages"]) == 1
    assert [(one["direction"], one["message_text"]) for one in shown] == [("incoming", "price?"), ("outgoing", None)]
    assert shown[1]["message_id"] == sent.message_id
    assert api.get_data(f"/api/sends/{shown[1]['send_id']}")["status"] == "sent"


def test_our_own_sends_are_in_the_list_and_are_no_second_row(
    reader: HistoryReader, gateway: PretendGateway, history: HistoryWriter, lend_api: ApiStarter
) -> None:
    """The list also contains every message that we sent."""
    assert lend_api().post("/api/send", {"to": RECIPIENT_PHONE, "text": "hello"}).status_code == 200
    age(gateway)

    assert read(reader, history) == 0
    assert [text for _, _, text in outgoing(history)] == ["hello"]


def test_a_send_whose_answer_was_lost_is_left_to_be_reconciled(
    reader: HistoryReader, gateway: PretendGateway, history: HistoryWriter, lend_api: ApiStarter
) -> None:
    """The send is already shown as unknown. A row from the list would show the same message twice."""
    gateway.misbehave(Misbehaviour("hang_after"))
    api = lend_api(SHORT_TIMEOUTS)
    send_id = UUID(api.post("/api/send", {"to": RECIPIENT_PHONE, "text": "hello"}).json()["data"]["send_id"])
    age(gateway, 300)
    history.execute("UPDATE sends SET timestamp = timestamp - 300000 WHERE send_id = %s", send_id)
    found = read(reader, history)
    api.post(f"/api/sends/{send_id}/reconcile")

    assert found == 0
    assert [text for _, _, text in outgoing(history)] == ["hello"]


def test_an_entry_whose_call_may_still_be_running_is_read_later(
    reader: HistoryReader, gateway: PretendGateway, history: HistoryWriter
) -> None:
    """SAK lists a message while the call that sends it may still be running in our own process."""
    gateway.state.send(RECIPIENT_PHONE, "text", "one", None, None)
    age(gateway, 30)
    early = read(reader, history)
    age(gateway, 300)

    assert (early, read(reader, history)) == (0, 1)


def test_a_long_list_is_read_over_several_turns_and_then_seldom(
    reader: HistoryReader, gateway: PretendGateway, history: HistoryWriter
) -> None:
    """A turn reads five pages. Messages that are sent meanwhile move the list and are not missed."""
    for _ in range(620):
        gateway.state.send(RECIPIENT_PHONE, "text", "hello", None, None)
    age(gateway, 3600)
    first = read(reader, history)
    calls_of_first = gateway.call_count(CALL)
    gateway.state.send(RECIPIENT_PHONE, "text", "new", None, None)
    age(gateway, 3000)
    rest = read(reader, history), read(reader, history)
    before = gateway.call_count(CALL)
    last = read(reader, history)

    assert (first, calls_of_first, sum(found or 0 for found in rest)) == (500, 5, 121)
    assert (last, len(outgoing(history))) == (0, 621)
    assert gateway.call_count(CALL) - before <= 5


def test_a_read_runs_when_it_is_due_and_in_one_process(
    reader: HistoryReader, gateway: PretendGateway, history: HistoryWriter
) -> None:
    """The first read occurs one interval after the start, so a process that crashes at once sends no request."""
    started = reader.read()
    calls_at_start = gateway.call_count(CALL)
    history.execute("UPDATE gateway_history_reads SET next_read_at = now()")
    first, second = reader.read(), reader.read()

    assert (started, calls_at_start, first, second, gateway.call_count(CALL)) == (None, 0, 0, None, 1)
    assert 590 <= pause(history) <= 600


@pytest.mark.parametrize("status", [401, 500])
def test_errors_make_reads_rarer_until_one_succeeds(
    status: int, reader: HistoryReader, gateway: PretendGateway, history: HistoryWriter
) -> None:
    """Otherwise, a key that SAK does not accept would use up the rate limit for ever."""
    pauses: list[int] = []
    for _ in range(7):
        gateway.misbehave(Misbehaviour("answer", status=status, code="BAD"))
        assert read(reader, history) is None
        pauses.append(pause(history))

    assert [round(seconds / 100) * 100 for seconds in pauses] == [1200, 2400, 4800, 9600, 19200, 21600, 21600]
    assert read(reader, history) == 0
    assert pause(history) <= 600


def test_a_rate_limit_is_obeyed(reader: HistoryReader, gateway: PretendGateway, history: HistoryWriter) -> None:
    gateway.misbehave(Misbehaviour("answer", status=429, headers={"Retry-After": "30000"}))
    read(reader, history)

    assert 29_900 <= pause(history) <= 30_000


def test_the_reader_runs_in_an_api_with_a_key_and_a_session(
    start_api: ApiStarter, gateway: PretendGateway, history: HistoryWriter
) -> None:
    """It needs a key and a session. 0 disables it."""
    for off in ({"SAK_HISTORY_SECONDS": "0"}, {"SAK_API_KEY": ""}, {"SAK_SESSION_ID": ""}):
        start_api(**off).get("/readyz")
    assert history.rows("SELECT session_id FROM gateway_history_reads") == []
    start_api()

    wait_until(lambda: history.rows("SELECT session_id FROM gateway_history_reads") == [(SESSION_ID,)])
    assert gateway.call_count(CALL) == 0


@pytest.mark.long
def test_a_running_api_shows_and_announces_what_another_client_sent(
    start_api: ApiStarter, gateway: PretendGateway, history: HistoryWriter
) -> None:
    """The message passes from the gateway's list over HTTP to a reader of the change feed.

    An idle api reads every 5 s.
    """
    gateway.state.send(RECIPIENT_PHONE, "document", "", None, None)
    age(gateway)
    api = start_api()
    wait_until(lambda: history.rows("SELECT session_id FROM gateway_history_reads"))
    cursor = api.current_cursor()
    history.execute("UPDATE gateway_history_reads SET next_read_at = now()")
    wait_until(lambda: history.rows("SELECT key_id FROM sends"))

    (shown,) = api.get_data(f"/api/chats/{RECIPIENT_PHONE}")["messages"]
    changes = api.get_data("/api/changes", since=cursor)["changes"]
    assert (shown["message_type"], shown["caption"], shown["status"]) == ("document", None, "sent")
    assert [one["kind"] for one in changes] == ["message"]


def test_the_interval_of_reads_has_a_minimum() -> None:
    """SAK allows 100 requests a minute in total."""
    named = {"DATABASE_URL": "postgresql://", "API_TOKEN": "made-up-token-0123456789"}

    with pytest.raises(SettingsError, match="SAK_HISTORY_SECONDS must be 0 or at least 60"):
        ApiSettings.from_environ({**named, "SAK_HISTORY_SECONDS": "5"})
    assert ApiSettings.from_environ(named).history_read_seconds == 600
