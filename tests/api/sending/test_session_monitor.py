"""The session watch: what a look sees, how seldom it looks, and what a chat says of it."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from api.gateway.client import Client as Sak
from api.gateway.settings import Settings
from api.sending.session_monitor import Watch
from api.settings import Settings as ApiSettings
from api.settings import SettingsError
from dev.gateway.misbehaviour import Misbehaviour
from dev.gateway.server import Gateway
from store.history.outages import Look
from store.postgres.pool import Pool
from tests.api.sending.conftest import QUICK, SESSION, Serve
from tests.support.history_writer import PHONE, History, message


@pytest.fixture
def watch(database_url: str, gateway: Gateway) -> Iterator[Watch]:
    settings = Settings.from_environ(gateway.account.environ(gateway.base_url))
    assert settings
    pool = Pool(database_url, "watch", size=1, read_only=False)
    pool.open()
    with Sak(settings, replace(QUICK, total=0.5, attempts=1)) as sak:
        yield Watch(pool, sak, SESSION, 30)
    pool.close()


def pause(history: History) -> int:
    """Seconds until the next look."""
    ((seconds,),) = history.rows("SELECT round(extract(epoch FROM next_at - now())) FROM watches")
    return int(seconds)


def look(watch: Watch, history: History) -> Look | None:
    history.run("UPDATE watches SET next_at = now()")
    return watch.look()


def test_it_looks_when_it_is_time_and_not_before(watch: Watch, gateway: Gateway, history: History) -> None:
    """Two processes together ask as often as one."""
    first, second = watch.look(), watch.look()

    assert first
    assert (first.away, second) == (None, None)
    assert gateway.seen("GET /sessions/{id}/status") == 1
    assert 25 <= pause(history) <= 30


def test_it_looks_ever_less_often_while_the_session_is_away(watch: Watch, gateway: Gateway, history: History) -> None:
    """Asking can make SAK reconnect: a storm of that would keep the session away."""
    gateway.memory.connected = False
    pauses: list[int] = []
    for _ in range(7):
        look(watch, history)
        pauses.append(pause(history))
    gateway.memory.connected = True
    look(watch, history)

    assert [round(seconds / 10) * 10 for seconds in pauses] == [60, 120, 240, 480, 900, 900, 900]
    assert pause(history) <= 30
    assert history.rows("SELECT kind, looks, ended_at >= last_at FROM outages") == [("disconnected", 7, True)]


@pytest.mark.parametrize(
    ("goes", "outages"),
    [
        (Misbehaviour("hang"), [("unreachable",)]),
        (Misbehaviour("answer", status=503), [("unreachable",)]),
        (Misbehaviour("answer", status=429, headers={"Retry-After": "300"}), []),
        (Misbehaviour("answer", status=401, code="AUTH_FAILED"), []),
    ],
)
def test_only_what_says_something_of_the_session_is_evidence(
    goes: Misbehaviour, outages: list[Any], watch: Watch, gateway: Gateway, history: History
) -> None:
    """A rate limit and a wrong token are no outage, and both are a reason to wait."""
    gateway.misbehave(goes)
    watch.look()

    assert history.rows("SELECT kind FROM outages") == outages
    assert pause(history) >= 55


def test_a_chat_says_when_messages_may_be_missing(serve: Serve, history: History) -> None:
    """An empty hour in a conversation looks like silence, and may be a gateway that was away."""
    history.tell(message("before"), message("after", 7_200_000), session=SESSION)
    history.run(
        "INSERT INTO outages (session_id, kind, connected_at, first_at, last_at, ended_at, reason)"
        " SELECT s, 'disconnected', t + 1000, t + 60000, t + 120000, t + 180000, 'away'"
        " FROM (SELECT min(timestamp) AS t FROM whatsapp_messages) AS m, unnest(ARRAY[%s, 'other']) AS s",
        SESSION,
    )
    watching = serve(SAK_WATCH_SECONDS="3600")

    (outage,) = watching.data(f"/api/chats/{PHONE}")["outages"]
    ours = {one["session_id"]: one["outages"] for one in watching.data("/api/sessions")["sessions"]}[SESSION]

    assert (outage["kind"], outage["session_id"]) == ("disconnected", SESSION)
    assert outage["first_at"] < outage["ended_at"]
    assert outage["first_at"].endswith("Z")
    assert ours[0]["first_at"] == outage["first_at"]
    assert serve().data(f"/api/chats/{PHONE}")["outages"] == []


def test_it_is_off_unless_asked_for_and_never_hasty(serve: Serve, gateway: Gateway) -> None:
    """SAK allows 100 requests a minute for everything."""
    serve().get("/readyz")
    named = {"DATABASE_URL": "postgresql://", "API_TOKEN": "t"}

    with pytest.raises(SettingsError, match="SAK_WATCH_SECONDS must be 0 or at least 30"):
        ApiSettings.read({**named, "SAK_WATCH_SECONDS": "5"})
    assert ApiSettings.read(named).watch_seconds == 0
    assert gateway.seen("GET /sessions/{id}/status") == 0
