"""Tests the session monitor: its checks, their intervals, and the outages in a chat."""

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from api.gateway import times
from api.gateway.client import SakClient as Sak
from api.gateway.settings import SakSettings
from api.sending.session_monitor import SessionMonitor
from api.settings import Settings as ApiSettings
from dev.gateway.misbehaviour import Misbehaviour
from dev.gateway.server import PretendGateway
from store.history.sessions.outages import ConnectionCheck
from store.model.facts import SessionReport
from store.postgres.pool import Pool
from telemetry.errors import SettingsError
from tests.support.history.history_writer import SENDER_PHONE, HistoryWriter, message_fact
from tests.support.processes.sending_api import FAST_TIMEOUTS, SESSION_ID, ApiStarter


@pytest.fixture
def watch(database_url: str, gateway: PretendGateway) -> Iterator[SessionMonitor]:
    settings = SakSettings.from_environ(gateway.account.to_environ(gateway.base_url))
    assert settings
    pool = Pool(database_url, "watch", size=1, read_only=False)
    pool.open()
    with Sak(settings, replace(FAST_TIMEOUTS, total=0.5, max_attempts=1)) as sak:
        yield SessionMonitor(pool, sak, SESSION_ID, 30)
    pool.close()


def pause(history: HistoryWriter) -> int:
    """Return the number of seconds until the next check."""
    ((seconds,),) = history.rows("SELECT round(extract(epoch FROM next_check_at - now())) FROM session_checks")
    return int(seconds)


def look(watch: SessionMonitor, history: HistoryWriter) -> ConnectionCheck | None:
    history.execute("UPDATE session_checks SET next_check_at = now()")
    return watch.poll()


def test_a_check_runs_when_it_is_due_and_not_earlier(
    watch: SessionMonitor, gateway: PretendGateway, history: HistoryWriter
) -> None:
    """Two processes together check as often as one."""
    first, second = watch.poll(), watch.poll()

    assert first
    assert (first.outage_kind, second) == (None, None)
    assert gateway.call_count("GET /sessions/{id}/status") == 1
    assert 25 <= pause(history) <= 30


def test_checks_become_rarer_while_the_session_is_disconnected(
    watch: SessionMonitor, gateway: PretendGateway, history: HistoryWriter
) -> None:
    """Each check can make SAK reconnect. Many reconnects would keep the session disconnected."""
    gateway.state.connected = False
    pauses: list[int] = []
    for _ in range(7):
        look(watch, history)
        pauses.append(pause(history))
    gateway.state.connected = True
    look(watch, history)

    assert [round(seconds / 10) * 10 for seconds in pauses] == [60, 120, 240, 480, 900, 900, 900]
    assert pause(history) <= 30
    assert history.rows("SELECT kind, looks, ended_at >= last_at FROM outages") == [("disconnected", 7, True)]


@pytest.mark.parametrize(
    ("fault", "outages"),
    [
        (Misbehaviour("hang"), [("unreachable",)]),
        (Misbehaviour("answer", status=503), [("unreachable",)]),
        (Misbehaviour("answer", status=429, headers={"Retry-After": "300"}), []),
        (Misbehaviour("answer", status=401, code="AUTH_FAILED"), []),
    ],
)
def test_only_a_response_about_the_session_is_evidence_of_an_outage(
    fault: Misbehaviour, outages: list[Any], watch: SessionMonitor, gateway: PretendGateway, history: HistoryWriter
) -> None:
    """A rate limit and a wrong token are not outages, but both are reasons to wait."""
    gateway.misbehave(fault)
    watch.poll()

    assert history.rows("SELECT kind FROM outages") == outages
    assert pause(history) >= 55


def test_an_outage_ends_when_the_session_connected_and_not_at_the_next_check(
    watch: SessionMonitor, gateway: PretendGateway, history: HistoryWriter
) -> None:
    """Checks are rare while the session is disconnected, so the next one comes much later."""
    gateway.state.connected = False
    away = look(watch, history)
    assert away
    gateway.state.connected = True
    time.sleep(0.01)
    look(watch, history)

    ((ended_at,),) = history.rows("SELECT ended_at FROM outages")
    assert ended_at == times.to_ms(gateway.state.last_connected_at)


def test_the_status_gives_the_session_its_state_name_and_number(
    watch: SessionMonitor, gateway: PretendGateway, history: HistoryWriter, lend_api: ApiStarter
) -> None:
    """SAK sends no event about a session, so only the status provides them."""
    look(watch, history)
    gateway.state.connected = False
    look(watch, history)
    history.store(message_fact("hello"), session=SESSION_ID)

    (session,) = lend_api().get_data("/api/sessions")["sessions"]
    assert (session["state"], session["name"], session["phone"]) == ("disconnected", "Demo", gateway.account.phone)
    assert session["last_connected_at"] == gateway.state.last_connected_at
    assert history.rows("SELECT to_number FROM whatsapp_messages") == [(gateway.account.phone,)]


def test_number_and_state_come_from_the_newer_of_an_event_and_the_status(
    watch: SessionMonitor, history: HistoryWriter, gateway: PretendGateway, lend_api: ApiStarter
) -> None:
    """A session that is paired again has another number, which either source may report first."""
    now = time.time_ns() // 1_000_000
    look(watch, history)
    history.store(SessionReport("connecting", "919800000007", now + 60_000), session=SESSION_ID)
    client = lend_api()
    (after_event,) = client.get_data("/api/sessions")["sessions"]
    history.execute("UPDATE sessions SET phone_at = %s, state_at = %s", now - 60_000, now - 60_000)
    look(watch, history)
    (after_status,) = client.get_data("/api/sessions")["sessions"]

    assert (after_event["phone"], after_event["state"]) == ("919800000007", "connecting")
    assert (after_status["phone"], after_status["state"]) == (gateway.account.phone, "connected")


@pytest.mark.parametrize("said", ["2999-01-01T00:00:00.000Z", "1970-01-01", "soon", "", None])
def test_a_time_that_cannot_be_true_ends_no_outage(
    said: str | None, watch: SessionMonitor, gateway: PretendGateway, history: HistoryWriter
) -> None:
    """If the gateway's clock is wrong, the end would be before the outage or in the future."""
    gateway.state.connected = False
    look(watch, history)
    gateway.state.connected = True
    gateway.state.last_connected_at = said
    check = look(watch, history)

    assert check
    assert history.rows("SELECT ended_at FROM outages") == [(check.checked_at,)]


def test_the_statistics_report_automatic_replies(
    watch: SessionMonitor, gateway: PretendGateway, history: HistoryWriter, lend_api: ApiStarter
) -> None:
    """The gateway does not report its automatic replies, so contacts who received one still count as waiting."""
    client = lend_api()
    unknown = client.get_data("/api/stats")["auto_replies"]
    gateway.state.auto_reply_enabled = True
    look(watch, history)
    look(watch, history)
    asked = gateway.call_count("GET /sessions")
    (known,) = client.get_data("/api/stats")["auto_replies"]
    history.execute("UPDATE session_checks SET auto_reply_asked_at = now() - interval '1 hour'")
    gateway.misbehave(Misbehaviour("answer", status=401, code="AUTH_FAILED", call="GET /sessions"))
    look(watch, history)

    assert (unknown, asked, gateway.call_count("GET /sessions")) == ([], 1, 2)
    assert (known["session_id"], known["enabled"]) == (SESSION_ID, True)
    assert client.get_data("/api/stats")["auto_replies"] == [known], "no answer is no news"


def test_a_chat_shows_the_outages_in_which_messages_may_be_missing(
    start_api: ApiStarter, history: HistoryWriter
) -> None:
    """An hour without messages looks like silence, although the gateway may have been unavailable."""
    history.store(message_fact("before"), message_fact("after", 7_200_000), session=SESSION_ID)
    history.execute(
        "INSERT INTO outages (session_id, kind, connected_at, first_at, last_at, ended_at, reason)"
        " SELECT s, 'disconnected', t + 1000, t + 60000, t + 120000, t + 180000, 'away'"
        " FROM (SELECT min(timestamp) AS t FROM whatsapp_messages) AS m, unnest(ARRAY[%s, 'other']) AS s",
        SESSION_ID,
    )
    watching = start_api(SAK_WATCH_SECONDS="3600")

    (outage,) = watching.get_data(f"/api/chats/{SENDER_PHONE}")["outages"]
    ours = {one["session_id"]: one["outages"] for one in watching.get_data("/api/sessions")["sessions"]}[SESSION_ID]

    assert (outage["kind"], outage["session_id"]) == ("disconnected", SESSION_ID)
    assert outage["first_at"] < outage["ended_at"]
    assert outage["first_at"].endswith("Z")
    assert ours[0]["first_at"] == outage["first_at"]
    assert start_api().get_data(f"/api/chats/{SENDER_PHONE}")["outages"] == []


def test_the_monitor_is_off_by_default_and_its_interval_has_a_minimum(
    start_api: ApiStarter, gateway: PretendGateway
) -> None:
    """SAK allows 100 requests a minute in total."""
    start_api().get("/readyz")
    named = {"DATABASE_URL": "postgresql://", "API_TOKEN": "made-up-token-0123456789"}

    with pytest.raises(SettingsError, match="SAK_WATCH_SECONDS must be 0 or at least 30"):
        ApiSettings.from_environ({**named, "SAK_WATCH_SECONDS": "5"})
    assert ApiSettings.from_environ(named).session_poll_seconds == 0
    assert gateway.call_count("GET /sessions/{id}/status") == 0
