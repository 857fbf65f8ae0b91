from collections.abc import Callable, Iterator

import pytest

from api.gateway.client import SakClient
from api.gateway.settings import Settings
from api.gateway.timeouts import Timeouts
from dev.gateway.server import PretendGateway

FAST_TIMEOUTS = Timeouts(connect=2.0, attempt=1.0, total=5.0, pause=0.001)
"""Waits as briefly between attempts as it can, so that tests of retries are quick."""


@pytest.fixture
def gateway() -> Iterator[PretendGateway]:
    with PretendGateway() as running:
        yield running


@pytest.fixture
def settings(gateway: PretendGateway) -> Settings:
    told = Settings.from_environ(gateway.account.to_environ(gateway.base_url))
    assert told is not None
    return told


@pytest.fixture
def make_client(settings: Settings) -> Iterator[Callable[[Timeouts], SakClient]]:
    made: list[SakClient] = []

    def make(patience: Timeouts) -> SakClient:
        made.append(SakClient(settings, patience))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(make_client: Callable[[Timeouts], SakClient]) -> SakClient:
    return make_client(FAST_TIMEOUTS)
