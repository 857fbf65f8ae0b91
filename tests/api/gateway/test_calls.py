"""Tests calls to the gateway other than sends: their responses and retries."""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from api.gateway import errors, transport
from api.gateway.client import SakClient
from api.gateway.settings import SakSettings
from api.gateway.timeouts import Timeouts
from dev.gateway.misbehaviour import Misbehaviour
from dev.gateway.server import PretendGateway

URL = "http://127.0.0.1:9/whatsapp-webhook"
HASTY = Timeouts(connect=2.0, attempt=0.3, total=0.5, pause=0.001)


def test_registering_twice_gives_the_same_webhook_and_secret(gateway: PretendGateway, client: SakClient) -> None:
    """A deployment registers at each start. If the secret changed each time, its own webhooks would be refused."""
    first = client.register_webhook(URL, ["message.received"])
    second = client.register_webhook(URL, ["message.received", "message.sent"])

    assert (first.new, second.new) == (True, False)
    assert (second.webhook_id, second.secret) == (first.webhook_id, first.secret)
    assert second.events == ("message.received", "message.sent")
    assert len(gateway.state.webhooks()) == 1


def test_a_webhook_can_be_listed_changed_and_removed(client: SakClient) -> None:
    """Step 6.4 of the guide moves the webhook to the address of the deployed receiver."""
    webhook_id = client.register_webhook(URL, ["message.received"]).webhook_id
    client.update_webhook(webhook_id, URL + "/moved")
    (listed,) = client.list_webhooks()
    client.delete_webhook(webhook_id)

    assert (listed.webhook_id, listed.url, listed.active) == (webhook_id, URL + "/moved", True)
    assert listed.events == ("message.received",)
    assert client.list_webhooks() == []


def test_a_ping_reports_the_response_of_each_webhook(client: SakClient) -> None:
    """Nothing listens on port 9. SAK reports this as a result, not as an error."""
    registered = client.register_webhook(URL, ["message.received"])
    (ping,) = client.test_webhooks()

    assert (ping.webhook_id, ping.url, ping.succeeded, ping.status) == (registered.webhook_id, URL, False, None)


def test_the_status_of_a_session_has_its_connection(gateway: PretendGateway, client: SakClient) -> None:
    """A dashboard shows the state of the session above its chats."""
    assert client.session_status().connected
    assert client.session_status().phone == gateway.account.phone
    gateway.state.connected = False
    assert not client.session_status().connected


def test_the_list_of_sent_messages_is_newest_first(client: SakClient) -> None:
    """Unknown sends are compared with the history."""
    for text in ("one", "two", "three"):
        client.send_text("919811000009", text)
    newest = client.list_sent_messages(limit=1, offset=0)
    older = client.list_sent_messages(limit=5, offset=1)

    assert [past.to for past in newest + older] == ["919811000009"] * 3
    assert newest[0].message_id not in {past.message_id for past in older}
    assert {past.status for past in older} == {"sent"}


REPEATED: dict[str, Callable[[SakClient], object]] = {
    "GET /webhooks": lambda client: client.list_webhooks(),
    "GET /sessions": lambda client: client.list_sessions(),
    "GET /messages/history": lambda client: client.list_sent_messages(limit=50, offset=0),
    "POST /webhooks": lambda client: client.register_webhook(URL),
    "PUT /webhooks/{id}": lambda client: client.update_webhook(client.register_webhook(URL).webhook_id, URL),
}
ASKED_ONCE: dict[str, Callable[[SakClient], object]] = {
    "POST /webhooks/test": lambda client: client.test_webhooks(),
    "GET /sessions/{id}/status": lambda client: client.session_status(),
    "DELETE /webhooks/{id}": lambda client: client.delete_webhook(client.register_webhook(URL).webhook_id),
}
PASSING = [
    Misbehaviour("reset"),
    Misbehaviour("reset_after"),
    Misbehaviour("garbage"),
    Misbehaviour("answer", status=503),
    Misbehaviour("cut"),
]


@pytest.mark.parametrize("fault", PASSING, ids=lambda fault: f"{fault.kind} {fault.status}")
@pytest.mark.parametrize("call", REPEATED)
def test_a_call_that_may_be_repeated_gets_over_a_bad_moment(
    call: str, fault: Misbehaviour, gateway: PretendGateway, client: SakClient
) -> None:
    """A proxy that restarts must not require the attention of a person."""
    gateway.misbehave(replace(fault, call=call))
    REPEATED[call](client)

    assert gateway.call_count(call) == 2


@pytest.mark.parametrize("fault", PASSING, ids=lambda fault: f"{fault.kind} {fault.status}")
@pytest.mark.parametrize("call", ASKED_ONCE)
def test_a_call_that_does_something_each_time_is_not_repeated(
    call: str, fault: Misbehaviour, gateway: PretendGateway, client: SakClient
) -> None:
    """Asking for the state of a session can start a reconnect. Many reconnects are worse than an unknown state."""
    gateway.misbehave(replace(fault, call=call))
    with pytest.raises(errors.OutcomeUnknownError):
        ASKED_ONCE[call](client)

    assert gateway.call_count(call) == 1


def test_a_read_that_is_never_answered_ends_when_its_time_is_up(
    gateway: PretendGateway, make_client: Callable[[Timeouts], SakClient]
) -> None:
    """A byte now and then satisfies every timeout that is measured between bytes."""
    gateway.misbehave(Misbehaviour("drip", times=None, seconds=0.05))
    with pytest.raises(errors.OutcomeUnknownError, match="did not respond"):
        make_client(HASTY).list_webhooks()


def test_a_refusal_keeps_saks_code_and_is_not_repeated(gateway: PretendGateway, settings: SakSettings) -> None:
    """The reader of an error searches for SAK's own code."""
    with SakClient(replace(settings, jwt="another-token")) as client, pytest.raises(errors.RefusedError) as refusal:
        client.list_webhooks()

    assert (refusal.value.code, refusal.value.status) == ("AUTH_FAILED", 401)
    assert gateway.call_count("GET /webhooks") == 1


LACKING: list[tuple[Callable[[SakClient], object], str, str]] = [
    (lambda client: client.list_webhooks(), "jwt", "SAK_JWT"),
    (lambda client: client.send_text("919811000009", "x"), "api_key", "SAK_API_KEY"),
    (lambda client: client.register_webhook(URL), "session_id", "SAK_SESSION_ID"),
]


@pytest.mark.parametrize(("call", "missing", "named"), LACKING)
def test_a_missing_argument_is_named_before_sak_is_called(
    call: Callable[[SakClient], object], missing: str, named: str, gateway: PretendGateway, settings: SakSettings
) -> None:
    """`SAK_JWT is not set` is more helpful than a 401."""
    with (
        SakClient(replace(settings, **{missing: None})) as client,
        pytest.raises(errors.NotConfiguredError, match=named),
    ):
        call(client)

    assert gateway.state.call_counts() == {}


def test_an_owners_key_names_the_session(gateway: PretendGateway, settings: SakSettings) -> None:
    """A user-level key alone is refused, because SAK cannot know which phone is meant."""
    owner = replace(settings, api_key=gateway.account.user_key)
    with SakClient(owner) as client:
        sent = client.send_text("919811000009", "hello")
    with SakClient(replace(owner, session_id=None)) as client, pytest.raises(errors.RefusedError) as refusal:
        client.send_text("919811000009", "hello")

    assert sent.status == "sent"
    assert refusal.value.code == "SESSION_ID_REQUIRED"


def test_a_session_id_cannot_smuggle_a_header(client: SakClient) -> None:
    """The text may come from any caller of the api."""
    with pytest.raises(errors.RefusedError, match="session id"):
        client.send_text("919811000009", "hello", session_id="x\r\nx-api-key: other")


def test_calls_share_a_connection(client: SakClient, caplog: pytest.LogCaptureFixture) -> None:
    """A TLS handshake for each message would take longer than the message itself."""
    caplog.set_level(logging.DEBUG, "urllib3")
    for _ in range(3):
        client.list_webhooks()

    assert caplog.text.count("Starting new HTTP connection") == 1


def test_a_connection_that_was_idle_is_not_trusted(
    client: SakClient, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Node closes idle connections. A send during the close would have an unknown outcome without need."""
    monkeypatch.setattr(transport, "MAX_IDLE_SECONDS", 0.0)
    caplog.set_level(logging.DEBUG, "urllib3")
    for _ in range(3):
        client.list_webhooks()

    assert "Resetting dropped connection" in caplog.text


def test_a_netrc_does_not_replace_the_token(client: SakClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise, requests would replace our token with the user and password of the file."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password something\n")
    monkeypatch.setenv("NETRC", str(netrc))

    assert client.list_webhooks() == []
