"""The API with a gateway behind it that behaves as it is told."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import TypeAlias

import pytest
import requests

from api.gateway.timeouts import Timeouts
from dev.gateway.server import PretendGateway
from tests.api.conftest import running_api
from tests.support.history_writer import API_TOKEN, ApiClient

FAST_TIMEOUTS = Timeouts(connect=2.0, attempt=1.0, total=5.0, pause=0.001)
"""Waits as briefly between attempts as it can, so that tests of retries are quick."""
SHORT_TIMEOUTS = replace(FAST_TIMEOUTS, total=0.5)
"""For what never comes."""
SESSION_ID = "11111111-2222-4333-8444-555555555555"
RECIPIENT_PHONE = "919811000009"
ApiStarter: TypeAlias = Callable[..., ApiClient]


@pytest.fixture
def gateway() -> Iterator[PretendGateway]:
    with PretendGateway() as running:
        yield running


@pytest.fixture
def start_api(database_url: str, gateway: PretendGateway) -> Iterator[ApiStarter]:
    """Starts an API with a patience and variables of the test's own; it runs until the test ends."""
    with ExitStack() as running:

        def start(patience: Timeouts = FAST_TIMEOUTS, **variables: str) -> ApiClient:
            environ = {
                "DATABASE_URL": database_url,
                "API_TOKEN": API_TOKEN,
                **gateway.account.to_environ(gateway.base_url),
            }
            url = running.enter_context(running_api({**environ, **variables}, patience))
            http = running.enter_context(requests.Session())
            http.headers["authorization"] = f"Bearer {API_TOKEN}"
            return ApiClient(url, http)

        yield start


@pytest.fixture
def sending_client(start_api: ApiStarter) -> ApiClient:
    return start_api()
