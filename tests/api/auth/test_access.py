"""Tests access with and without a token."""

import pytest
import requests

from api.settings import Settings
from telemetry.errors import SettingsError
from tests.support.history.history_writer import API_TOKEN, ApiClient


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


def test_an_unknown_path_and_a_wrong_method_are_reported_in_the_envelope(
    client: ApiClient,
) -> None:
    """Clients parse a single format of errors."""
    missing, wrong = client.get("/api/nothing"), client.post("/api/chats")

    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")
    assert "GET" in wrong.headers["allow"]


@pytest.mark.parametrize("path", ["/api/chats/", "//elsewhere.example/api/chats", "/assets", "/api/docs/"])
def test_no_path_redirects_to_a_host_that_the_client_names(client: ApiClient, path: str) -> None:
    """A cache in front could give such a redirect to others."""
    headers = {"host": "elsewhere.example"}
    answer = client.http.get(client.url + path, headers=headers, timeout=30, allow_redirects=False)

    assert answer.status_code == 404
    assert "elsewhere.example" not in str(answer.headers)


@pytest.mark.parametrize("weak", ["short", "a" * 64, "abcabcabcabcabcabc"])
def test_the_api_does_not_start_with_a_token_that_can_be_guessed(weak: str) -> None:
    """API_TOKEN has all rights, and people choose it."""
    with pytest.raises(SettingsError, match="can be guessed") as refused:
        Settings.from_environ({"API_TOKEN": weak, "DATABASE_URL": "postgresql://app@127.0.0.1:1/x"})

    assert weak not in str(refused.value)
