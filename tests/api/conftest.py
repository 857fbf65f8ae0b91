from collections.abc import Iterator

import pytest
import requests

from dev.gateway.server import PretendGateway
from tests.support.history_writer import API_TOKEN, ApiClient


@pytest.fixture
def client(api_url: str) -> Iterator[ApiClient]:
    with requests.Session() as http:
        http.headers["authorization"] = f"Bearer {API_TOKEN}"
        yield ApiClient(api_url, http)


@pytest.fixture
def gateway() -> Iterator[PretendGateway]:
    with PretendGateway() as running:
        yield running
