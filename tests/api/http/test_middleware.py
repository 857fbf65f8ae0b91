"""Tests the headers of every response."""

from collections.abc import Iterator

import pytest
import requests

from tests.support import waiting
from tests.support.history.history_writer import API_TOKEN, SENDER_PHONE, ApiClient, HistoryWriter, message_fact
from tests.support.processes.api_server import running_api


@pytest.mark.parametrize("path", ["/api/chats", f"/api/chats/{SENDER_PHONE}", "/api/search?q=hello", "/api/sessions"])
def test_a_list_that_is_still_the_same_is_304(history: HistoryWriter, client: ApiClient, path: str) -> None:
    """Polling by a dashboard must be cheap."""
    history.store(message_fact())
    waiting.wait_until(lambda: client.get_data("/api/search", q="hello")["complete"])
    first = client.get(path)
    history.execute("SELECT pg_current_xact_id()")
    second = client.http.get(client.url + path, headers={"if-none-match": first.headers["etag"]}, timeout=30)
    history.store(message_fact("hello", 1), session="s2")

    third = client.http.get(client.url + path, headers={"if-none-match": first.headers["etag"]}, timeout=30)

    assert (second.status_code, second.content) == (304, b"")
    if not path.startswith("/api/search"):
        assert (third.status_code, third.headers["etag"] == first.headers["etag"]) == (200, False)


def test_a_large_response_is_compressed_for_clients_that_accept_it(history: HistoryWriter, client: ApiClient) -> None:
    """Conversations are text, which compresses well, and mobile data is limited."""
    history.store(*(message_fact(f"hello {index}", index) for index in range(50)))
    path = f"{client.url}/api/chats/{SENDER_PHONE}"
    plain = client.http.get(path, headers={"accept-encoding": "identity"}, timeout=30)
    packed = client.http.get(path, headers={"accept-encoding": "gzip"}, timeout=30)

    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.json()["data"]["messages"] == plain.json()["data"]["messages"]


@pytest.mark.parametrize("path", ["/api/chats", "/api/nothing", "/healthz", "/api/chats?limit=x"])
def test_safe_headers_are_on_every_answer(client: ApiClient, path: str) -> None:
    """Content sniffing and framing by browsers enable attacks."""
    headers = client.get(path).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "access-control-allow-origin" not in headers


@pytest.fixture
def open_url(database_url: str) -> Iterator[str]:
    environ = {"DATABASE_URL": database_url, "API_TOKEN": API_TOKEN, "API_CORS_ORIGINS": "https://inbox.example"}
    with running_api(environ) as url:
        yield url


def test_other_sites_read_answers_only_if_they_are_named(open_url: str) -> None:
    """Only the origins in the allow-list are permitted."""

    def allowed(origin: str) -> str | None:
        headers = {"origin": origin, "authorization": f"Bearer {API_TOKEN}"}
        return requests.get(f"{open_url}/api/chats", headers=headers, timeout=30).headers.get(
            "access-control-allow-origin"
        )

    assert allowed("https://inbox.example") == "https://inbox.example"
    assert allowed("https://evil.example") is None


def test_head_and_options_behave(client: ApiClient) -> None:
    """Caches and browsers send these requests first."""
    head = client.http.head(f"{client.url}/api/chats", timeout=30)
    options = client.http.options(f"{client.url}/api/chats/{SENDER_PHONE}/read", timeout=30)

    assert (head.status_code, head.content, "etag" in head.headers) == (200, b"", True)
    assert (options.status_code, options.headers["allow"]) == (204, "POST")


def test_requests_are_counted(open_url: str) -> None:
    """Requests are counted by endpoint, method and status, without an address."""
    requests.get(f"{open_url}/api/chats/{SENDER_PHONE}", headers={"authorization": f"Bearer {API_TOKEN}"}, timeout=30)
    metrics = requests.get(f"{open_url}/metrics", timeout=30).text

    assert 'sak_api_requests_total{endpoint="list_messages",method="GET",status="200"} 1.0' in metrics
    assert SENDER_PHONE not in metrics
