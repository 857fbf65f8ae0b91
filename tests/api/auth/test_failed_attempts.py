"""Tests that an address that guesses tokens is slowed down, and no other address is."""

from collections.abc import Iterator

import pytest
import requests

from api.auth import failed_attempts
from api.auth.failed_attempts import FailedAttempts
from tests.support.history.history_writer import API_TOKEN, ApiClient
from tests.support.processes.api_server import running_api


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def attempts(clock: Clock) -> FailedAttempts:
    """Return the state after a burst of failed attempts from 192.0.2.1, none of which had to wait."""
    attempts = FailedAttempts(clock)
    for _ in range(failed_attempts.BURST):
        assert attempts.wait_seconds("192.0.2.1", "guess") == 0
        attempts.record_failure("192.0.2.1")
    return attempts


def test_an_address_that_guesses_waits_and_others_do_not(attempts: FailedAttempts, clock: Clock) -> None:
    assert attempts.wait_seconds("192.0.2.1", "next guess") == 60 / failed_attempts.PER_MINUTE
    assert attempts.wait_seconds("192.0.2.2", "guess") == 0

    clock.now += 60 / failed_attempts.PER_MINUTE

    assert attempts.wait_seconds("192.0.2.1", "next guess") == 0


def test_a_token_that_was_valid_is_checked_behind_the_same_address(attempts: FailedAttempts) -> None:
    """A reverse proxy has the same address for all clients."""
    attempts.record_success("valid")

    assert attempts.wait_seconds("192.0.2.1", "valid") == 0
    assert attempts.wait_seconds("192.0.2.1", "guess") > 0

    attempts.record_failure("192.0.2.1", "valid")  # it was revoked

    assert attempts.wait_seconds("192.0.2.1", "valid") > 0


def test_the_addresses_of_one_network_count_as_one(clock: Clock) -> None:
    """A client with IPv6 has 2^64 addresses."""
    attempts = FailedAttempts(clock)
    for number in range(failed_attempts.BURST):
        attempts.record_failure(f"2001:db8::{number:x}")

    assert attempts.wait_seconds("2001:db8::ffff", "guess") > 0
    assert attempts.wait_seconds("2001:db8:0:1::1", "guess") == 0
    assert attempts.wait_seconds("::ffff:192.0.2.9", "guess") == 0


@pytest.fixture
def own_client(database_url: str) -> Iterator[ApiClient]:
    """Return a client of a separate API, so that the failed attempts of other tests do not count."""
    with running_api({"DATABASE_URL": database_url, "API_TOKEN": API_TOKEN}) as url, requests.Session() as http:
        http.headers["authorization"] = f"Bearer {API_TOKEN}"
        yield ApiClient(url, http)


def test_wrong_tokens_are_refused_and_then_no_longer_checked(own_client: ApiClient) -> None:
    """Requests with a valid token are still served."""
    own_client.get_data("/api/sessions")
    guess = {"authorization": "Bearer sakt_guess"}

    statuses = [
        own_client.http.get(f"{own_client.url}/api/sessions", headers=guess, timeout=30).status_code
        for _ in range(failed_attempts.BURST + 5)
    ]
    refused = own_client.http.get(f"{own_client.url}/api/sessions", headers=guess, timeout=30)

    assert statuses[: failed_attempts.BURST] == [401] * failed_attempts.BURST
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_failed_attempts")
    assert int(refused.headers["retry-after"]) > 0
    assert own_client.get("/api/sessions").status_code == 200
