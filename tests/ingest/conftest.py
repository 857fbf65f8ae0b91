import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from dev.embedded import data_folder
from dev.embedded.servers import Servers
from dev.embedded.valkey import Valkey
from tests.support.ingest_process import Ingest


@pytest.fixture(scope="session")
def standing(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ingest]:
    with Ingest(servers.valkey.url, tmp_path_factory.mktemp("standing")) as running:
        yield running


@pytest.fixture
def ingest(standing: Ingest, redis_url: str) -> Ingest:
    """Ingest on this worker's emptied Valkey, for tests that leave it running. An empty batch may come any time."""
    assert redis_url
    return standing


@pytest.fixture
def fresh(redis_url: str, tmp_path: Path) -> Iterator[Ingest]:
    """The same, for tests that stop it or count its batches."""
    with Ingest(redis_url, tmp_path) as running:
        yield running


@pytest.fixture
def valkey() -> Iterator[Valkey]:
    """A Valkey of the test's own, to be killed as often as it likes."""
    folder = data_folder.temporary()
    with Valkey(folder / "valkey", ephemeral=True) as running:
        yield running
    shutil.rmtree(folder)


@pytest.fixture
def client(valkey: Valkey) -> Iterator[redis.Redis]:
    """An ordinary client of the test's own Valkey."""
    with redis.Redis.from_url(valkey.url) as connected:  # pyright: ignore[reportUnknownMemberType] - **kwargs
        yield connected
