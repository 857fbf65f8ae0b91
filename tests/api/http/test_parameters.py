"""The query parameters of every endpoint."""

import pytest

from tests.support.history_writer import ApiClient


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize(
    "path",
    [
        "/api/chats?limit=1&limit=2",
        "/api/chats?before=a&before=b",
        "/api/chats/919811000002?session_id=s1&session_id=s2",
        "/api/chats/919811000002/export?format=csv&format=txt",
        "/api/search?q=one&q=two",
        "/api/stats?since=1&since=2",
        "/api/changes?since=a&since=b",
        "/api/stream?since=a&since=b",
    ],
)
def test_a_parameter_that_is_given_twice_is_rejected(path: str, client: ApiClient) -> None:
    """Which of two sessions a client meant cannot be guessed."""
    answer = client.get(path)

    assert (answer.status_code, answer.json()["code"]) == (400, "bad_parameter")
    assert answer.json()["error"].endswith("is given more than once.")
