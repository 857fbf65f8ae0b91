"""Tests the limits on the bodies of requests."""

import pytest

from tests.support.history.history_writer import SENDER_PHONE, ApiClient

KIB = 1024


@pytest.mark.parametrize(
    ("method", "path", "limit"),
    [
        ("POST", "/api/tokens", 64 * KIB),
        ("POST", f"/api/chats/{SENDER_PHONE}/labels", 64 * KIB),
        ("POST", f"/api/chats/{SENDER_PHONE}/notes", 64 * KIB),
        ("POST", f"/api/chats/{SENDER_PHONE}/star", 64 * KIB),
        ("POST", f"/api/chats/{SENDER_PHONE}/read", 64 * KIB),
        ("PATCH", "/api/sessions/s1", 4 * KIB),
        ("POST", "/api/push", 128 * KIB),
        ("DELETE", "/api/push", 128 * KIB),
    ],
)
def test_a_body_over_its_limit_is_refused_even_without_a_content_length(
    client: ApiClient, method: str, path: str, limit: int
) -> None:
    """It would be read into memory."""
    pieces = iter([b" " * limit, b" "])

    answer = client.http.request(method, client.url + path, data=pieces, timeout=30)

    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
