"""Tests access with and without a token."""

import pytest
import requests

from tests.support.history_writer import API_TOKEN, ApiClient


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/chats", "/api/nothing", "/api/chats/919811000001/read"])
@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer x", f"Basic {API_TOKEN}", API_TOKEN, "Bearer \u00fc", f"Bearer {API_TOKEN}x"],
)
def test_anything_under_api_without_a_valid_token_is_401(api_url: str, path: str, authorization: str | None) -> None:
    """The response must not reveal whether an address exists."""
    headers = {} if authorization is None else {"authorization": authorization.encode()}

    answer = requests.get(api_url + path, headers=headers, timeout=30)

    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_probes_need_no_token(api_url: str, path: str) -> None:
    """Load balancers have no token."""
    assert requests.get(api_url + path, timeout=30).status_code == 200


def test_an_address_that_is_not_there_and_a_method_that_does_not_fit_are_said_in_the_envelope(
    client: ApiClient,
) -> None:
    """Clients parse a single format of errors."""
    missing, wrong = client.get("/api/nothing"), client.post("/api/chats")

    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")
    assert "GET" in wrong.headers["allow"]
