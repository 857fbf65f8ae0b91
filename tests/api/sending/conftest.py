from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import requests

from api.gateway.timeouts import Timeouts
from dev.gateway.server import PretendGateway
from tests.support.history.history_writer import API_TOKEN, ApiClient
from tests.support.processes.api_server import running_api
from tests.support.processes.sending_api import FAST_TIMEOUTS, ApiStarter


@pytest.fixture
def start_api(database_url: str, gateway: PretendGateway) -> Iterator[ApiStarter]:
    """A function that starts an API with the given timeouts and variables, which runs until the test ends."""
    with ExitStack() as running:

        def start(timeouts: Timeouts = FAST_TIMEOUTS, **variables: str) -> ApiClient:
            environ = {
                "DATABASE_URL": database_url,
                "API_TOKEN": API_TOKEN,
                **gateway.account.to_environ(gateway.base_url),
            }
            url = running.enter_context(running_api({**environ, **variables}, timeouts))
            http = running.enter_context(requests.Session())
            http.headers["authorization"] = f"Bearer {API_TOKEN}"
            return ApiClient(url, http)

        yield start


@pytest.fixture
def sending_client(lend_api: ApiStarter) -> ApiClient:
    return lend_api()
