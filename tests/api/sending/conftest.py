"""The API with a gateway behind it that behaves as it is told."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import TypeAlias

import pytest
import requests

from api.gateway.timeouts import Patience
from dev.gateway.server import Gateway
from tests.api.conftest import serving
from tests.support.history_writer import TOKEN, Client

QUICK = Patience(connect=2.0, answer=1.0, total=5.0, pause=0.001)
"""Waits as briefly between attempts as it can, so that tests of retries are quick."""
HASTY = replace(QUICK, total=0.5)
"""For what never comes."""
SESSION = "11111111-2222-4333-8444-555555555555"
PHONE = "919811000009"
Serve: TypeAlias = Callable[..., Client]


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with Gateway() as running:
        yield running


@pytest.fixture
def serve(database_url: str, gateway: Gateway) -> Iterator[Serve]:
    """Starts an API with a patience and variables of the test's own; it runs until the test ends."""
    with ExitStack() as running:

        def start(patience: Patience = QUICK, **variables: str) -> Client:
            environ = {"DATABASE_URL": database_url, "API_TOKEN": TOKEN, **gateway.account.environ(gateway.base_url)}
            url = running.enter_context(serving({**environ, **variables}, patience))
            http = running.enter_context(requests.Session())
            http.headers["authorization"] = f"Bearer {TOKEN}"
            return Client(url, http)

        yield start


@pytest.fixture
def sender(serve: Serve) -> Client:
    return serve()
