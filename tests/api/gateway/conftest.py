from collections.abc import Callable, Iterator

import pytest

from api.gateway.client import SakClient
from api.gateway.settings import SakSettings
from api.gateway.timeouts import Timeouts
from dev.gateway.server import PretendGateway
from tests.support.processes.sending_api import FAST_TIMEOUTS


@pytest.fixture
def settings(gateway: PretendGateway) -> SakSettings:
    settings = SakSettings.from_environ(gateway.account.to_environ(gateway.base_url))
    assert settings is not None
    return settings


@pytest.fixture
def make_client(settings: SakSettings) -> Iterator[Callable[[Timeouts], SakClient]]:
    clients: list[SakClient] = []

    def make(timeouts: Timeouts) -> SakClient:
        clients.append(SakClient(settings, timeouts))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def client(make_client: Callable[[Timeouts], SakClient]) -> SakClient:
    return make_client(FAST_TIMEOUTS)
