from collections.abc import Iterator

import pytest
import requests

from tests.support.history.history_writer import API_TOKEN, ApiClient


@pytest.fixture
def client(api_url: str) -> Iterator[ApiClient]:
    with requests.Session() as http:
        http.headers["authorization"] = f"Bearer {API_TOKEN}"
        yield ApiClient(api_url, http)
