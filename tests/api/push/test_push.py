"""Tests that devices are notified of new messages while no page is open. `PushService` replaces the push service."""

import time
from collections.abc import Iterator

import pytest
import requests

from api.push import endpoints
from dev.embedded.child_process import wait_until
from store.access import push_subscriptions, tokens
from store.postgres import connections
from tests.support.history.history_writer import (
    API_TOKEN,
    SENDER_PHONE,
    ApiClient,
    HistoryWriter,
    message_fact,
    name_fact,
)
from tests.support.history.recent_messages import message_now
from tests.support.processes.api_server import running_api
from tests.support.servers.push_service import KEY, Device, PushService, push_variables

GROUP = "120363041234567890@g.us"


@pytest.fixture
def service() -> Iterator[PushService]:
    with PushService() as running:
        yield running


@pytest.fixture
def api(database_url: str) -> Iterator[ApiClient]:
    """Return an API that notifies devices."""
    environ = {"DATABASE_URL": database_url, "API_TOKEN": API_TOKEN, **push_variables()}
    with running_api(environ) as url, requests.Session() as http:
        http.headers["authorization"] = f"Bearer {API_TOKEN}"
        yield ApiClient(url, http)


@pytest.fixture
def another_api(database_url: str) -> Iterator[str]:
    with running_api({"DATABASE_URL": database_url, "API_TOKEN": API_TOKEN, **push_variables()}) as url:
        yield url


def subscribe(api: ApiClient, service: PushService, name: str, **more: object) -> Device:
    device = Device(f"{service.url}/{name}")
    answer = api.post("/api/push", device.subscription(**more))
    assert answer.status_code == 200, answer.text
    return device


@pytest.mark.usefixtures("another_api")
def test_devices_are_notified_of_new_messages_as_they_chose(
    history: HistoryWriter, api: ApiClient, service: PushService
) -> None:
    """Initially without the text, and never for muted chats, broadcasts, old messages or our own.

    Each message is announced once, although two processes look for news.
    """
    history.store(message_fact("before"), message_fact("before", address=GROUP), name_fact("Asha"))
    muted = [{"session_id": "s1", "address": GROUP}]
    quiet = subscribe(api, service, "quiet")
    reader = subscribe(api, service, "reader", text=True, sound=True, muted=muted)
    history.store(
        message_now("hello"),
        message_now("in the group", GROUP),
        message_now("a status", "status@broadcast"),
        message_now("long ago", "919811000002", age_ms=3_600_000),
        message_now("ours", "919811000003", direction="outgoing"),
    )

    assert wait_until(lambda: len(service.requests) >= 3, 20)
    history.store(message_now("last", "919811000009"))
    assert wait_until(lambda: len(service.requests) >= 5, 20)
    told = {
        device: [(one["address"], one["name"], one["text"], one["sound"]) for one in service.notifications(found)]
        for device, found in (("quiet", quiet), ("reader", reader))
    }
    assert sorted(told["quiet"]) == [
        (GROUP, "", "", False),
        (SENDER_PHONE, "Asha", "", False),
        ("919811000009", "", "", False),
    ]
    assert told["reader"] == [(SENDER_PHONE, "Asha", "hello", True), ("919811000009", "", "last", True)]
    assert len(service.requests) == 5
    claims = service.requests[0].claims(KEY.public, service.url)
    assert claims["sub"] == "mailto:me@example.org"
    assert time.time() < claims["exp"] <= time.time() + 24 * 3600
    assert service.requests[0].headers["content-encoding"] == "aes128gcm"


def test_a_device_ends_with_its_sign_in_its_token_or_itself(
    history: HistoryWriter, api: ApiClient, service: PushService
) -> None:
    """Notifications, too, are limited to the sessions of the token."""
    with connections.open(history.database_url, "test") as connection:
        limited = tokens.create(connection, "limited", ["read"], session_ids=["s2"])
        revoked = tokens.create(connection, "revoked", ["read"])
        writer = tokens.create(connection, "writer", ["write"])
    with requests.Session() as http:
        signed_in = http.post(f"{api.url}/api/session", headers={"authorization": f"Bearer {API_TOKEN}"}, timeout=30)
        csrf = {"x-csrf-token": signed_in.json()["data"]["csrf"]}
        leaving = Device(f"{service.url}/leaving")
        assert http.post(f"{api.url}/api/push", json=leaving.subscription(), headers=csrf, timeout=30).ok
        assert http.delete(f"{api.url}/api/session", headers=csrf, timeout=30).ok
    for name, secret in (("limited", limited), ("revoked", revoked)):
        body = Device(f"{service.url}/{name}").subscription()
        bearer = {"authorization": f"Bearer {secret}"}
        assert requests.post(f"{api.url}/api/push", json=body, headers=bearer, timeout=30).ok
    body = Device(f"{service.url}/writer").subscription()
    refused = requests.post(f"{api.url}/api/push", json=body, headers={"authorization": f"Bearer {writer}"}, timeout=30)
    assert refused.status_code == 403
    gone, stays = subscribe(api, service, "gone"), subscribe(api, service, "stays")
    assert api.http.delete(f"{api.url}/api/push", json={"endpoint": gone.endpoint}, timeout=30).ok
    with connections.open(history.database_url, "test") as connection:
        tokens.revoke(connection, "revoked")
    history.store(message_now("hello"))

    assert wait_until(lambda: bool(service.notifications(stays)), 20)
    assert {request.path for request in service.requests} == {"/stays"}
    service.status = 410
    history.store(message_now("in the other session"), session="s2")
    assert wait_until(lambda: history.rows("SELECT FROM push_subscriptions") == [], 20)
    assert sorted(request.path for request in service.requests[1:]) == ["/limited", "/stays"]


def test_a_token_that_is_revoked_while_notifications_wait_gets_no_more(
    history: HistoryWriter, api: ApiClient, service: PushService
) -> None:
    """Notifications wait for seconds if the push service is slow, and nothing may be told after a revocation."""
    with connections.open(history.database_url, "test") as connection:
        secret = tokens.create(connection, "leaver", ["read"])
    for number in range(12):
        body = Device(f"{service.url}/leaver-{number}").subscription()
        bearer = {"authorization": f"Bearer {secret}"}
        assert requests.post(f"{api.url}/api/push", json=body, headers=bearer, timeout=30).ok
    service.is_open.clear()
    history.store(message_now("hello"))
    assert wait_until(lambda: len(service.requests) >= 8, 20)
    with connections.open(history.database_url, "test") as connection:
        tokens.revoke(connection, "leaver")
    time.sleep(0.6)
    told = len(service.requests)
    service.is_open.set()
    stays = subscribe(api, service, "stays")
    history.store(message_now("another"))

    assert wait_until(lambda: bool(service.notifications(stays)), 20)
    assert told < 12
    assert len(service.requests) == told + 1


def test_a_redirect_of_a_push_service_is_not_followed_and_its_retry_after_is_obeyed(
    history: HistoryWriter, api: ApiClient, service: PushService
) -> None:
    subscribe(api, service, "first")
    service.status, service.headers = 307, {"location": f"{service.url}/inside"}
    history.store(message_now("one"))
    assert wait_until(lambda: len(service.requests) == 1, 20)
    service.status, service.headers = 429, {"retry-after": "900"}
    history.store(message_now("two"))
    waits = "SELECT FROM push_subscriptions WHERE paused_until > now() + interval '800 seconds'"
    assert wait_until(lambda: len(history.rows(waits)) == 1, 20)
    service.status, service.headers = 201, {}
    second = subscribe(api, service, "second", text=True)
    history.store(message_now("three"))

    assert wait_until(lambda: bool(service.notifications(second)), 20)
    assert [request.path for request in service.requests] == ["/first", "/first", "/second"]


def test_a_new_api_token_ends_the_devices_of_the_old_one(
    history: HistoryWriter, api: ApiClient, service: PushService, database_url: str
) -> None:
    """A new API_TOKEN also ends all sign-ins."""
    subscribe(api, service, "x")
    with connections.open(database_url, "test") as connection:
        assert push_subscriptions.find_recipients(connection, "of another API_TOKEN", []) == []

    assert history.rows("SELECT FROM push_subscriptions") == []


@pytest.mark.parametrize(
    "change",
    [
        {"endpoint": "http://169.254.169.254/latest"},
        {"endpoint": "https://127.0.0.1.example.org/x"},
        {"endpoint": "https://x@127.0.0.1/x"},
        {"endpoint": "ftp://127.0.0.1/x"},
        {"endpoint": "http://127.0.0.1/" + "x" * 2000},
        {"endpoint": None},
        {"p256dh": "AAAA"},
        {"auth": "AAAA"},
        {"auth": "*"},
        {"text": "yes"},
        {"muted": "all"},
        {"muted": [1]},
        {"muted": [{"session_id": "s1", "address": "a"}] * 501},
    ],
)
def test_an_invalid_subscription_is_refused(api: ApiClient, service: PushService, change: dict[str, object]) -> None:
    """A client must not be able to make this server send requests to others."""
    answer = api.post("/api/push", Device(f"{service.url}/x").subscription(**change))

    assert (answer.status_code, answer.json()["success"]) == (400, False)


def test_only_push_services_are_sent_to() -> None:
    allowed = ["https://fcm.googleapis.com/fcm/send/x", "https://updates.push.services.mozilla.com/wpush/v2/x"]
    refused = [
        "http://fcm.googleapis.com/x",
        "https://fcm.googleapis.com:8443/x",
        "https://push.services.mozilla.com.example.org/x",
        "https://127.0.0.1/x",
        "https://localhost/x",
        "https://fcm.googleapis.com@example.org/x",
        "https://[::1]/x",
        "https://169.254.169.254/x",
        "https://10.0.0.1.notify.windows.com./x",
        "https://a..notify.windows.com/x",
        "https://" + "a" * 64 + ".notify.windows.com/x",
        "https:fcm.googleapis.com/x",
        "https://fcm.googleapis.com\\@example.org/x",
        "https://fcm.googleapis.com\n/x",
    ]

    assert all(endpoints.is_allowed(each, endpoints.DEFAULT_HOSTS) for each in allowed)
    assert not [each for each in refused if endpoints.is_allowed(each, endpoints.DEFAULT_HOSTS)]
    assert not endpoints.is_allowed("http://10.0.0.1/x", ["10.0.0.1"])


def test_a_51st_device_replaces_the_oldest(history: HistoryWriter, api: ApiClient, service: PushService) -> None:
    """Each message is sent to all devices of a token."""
    endpoints_sent = [subscribe(api, service, f"device-{number}").endpoint for number in range(51)]

    assert sorted(history.rows("SELECT endpoint FROM push_subscriptions")) == sorted((e,) for e in endpoints_sent[1:])


def test_without_a_key_no_device_is_notified(client: ApiClient) -> None:
    assert client.get_data("/api/push") == {"key": None}
    answer = client.post("/api/push", Device("https://fcm.googleapis.com/x").subscription())
    assert (answer.status_code, answer.json()["code"]) == (404, "push_not_configured")
