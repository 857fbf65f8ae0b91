import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from dev import home
from dev.valkey import Valkey
from tests.ingest.process import Ingest


@pytest.fixture
def ingest(redis_url: str, tmp_path: Path) -> Iterator[Ingest]:
    """Ingest on this worker's Valkey."""
    with Ingest(redis_url, tmp_path) as running:
        yield running


@pytest.fixture
def valkey() -> Iterator[Valkey]:
    """A Valkey of the test's own, to be killed as often as it likes."""
    folder = home.temporary()
    with Valkey(folder / "valkey", ephemeral=True) as running:
        yield running
    shutil.rmtree(folder)


@pytest.fixture
def client(valkey: Valkey) -> Iterator[redis.Redis]:
    """An ordinary client of the test's own Valkey."""
    with redis.Redis.from_url(valkey.url) as connected:  # pyright: ignore[reportUnknownMemberType] - **kwargs
        yield connected
