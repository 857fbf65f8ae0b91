from collections.abc import Callable, Iterator

import pytest

from api.gateway.client import Client
from api.gateway.settings import Settings
from api.gateway.timeouts import Patience
from dev.gateway.server import Gateway

QUICK = Patience(connect=2.0, answer=1.0, total=5.0, pause=0.001)
"""Waits as briefly between attempts as it can, so that tests of retries are quick."""


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with Gateway() as running:
        yield running


@pytest.fixture
def settings(gateway: Gateway) -> Settings:
    told = Settings.from_environ(gateway.account.environ(gateway.base_url))
    assert told is not None
    return told


@pytest.fixture
def make_client(settings: Settings) -> Iterator[Callable[[Patience], Client]]:
    made: list[Client] = []

    def make(patience: Patience) -> Client:
        made.append(Client(settings, patience))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(make_client: Callable[[Patience], Client]) -> Client:
    return make_client(QUICK)
