from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from dev.embedded.servers import EmbeddedServers
from dev.embedded.valkey import EmbeddedValkey
from tests.support.processes.ingest_process import IngestProcess


@pytest.fixture(scope="module")
def shared_ingest(servers: EmbeddedServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[IngestProcess]:
    # For one module only, because it reports its writer into the Valkey of all tests.
    # Without a tail, because a tail would send its events again after Valkey is emptied between tests.
    with IngestProcess(servers.valkey.url, tmp_path_factory.mktemp("standing"), TAIL_SECONDS="0") as running:
        yield running


@pytest.fixture
def ingest(shared_ingest: IngestProcess, redis_url: str) -> IngestProcess:
    """An ingest on this worker's emptied Valkey, for tests that leave it running."""
    assert redis_url
    return shared_ingest


@pytest.fixture
def own_ingest(redis_url: str, tmp_path: Path) -> Iterator[IngestProcess]:
    """An ingest for tests that stop it or count its batches."""
    with IngestProcess(redis_url, tmp_path) as running:
        yield running


@pytest.fixture
def own_valkey(server_folder: Path) -> Iterator[EmbeddedValkey]:
    """A Valkey that the test may kill repeatedly."""
    with EmbeddedValkey(server_folder / "valkey", ephemeral=True) as running:
        yield running


@pytest.fixture
def client(own_valkey: EmbeddedValkey) -> Iterator[redis.Redis]:
    """A client of the test's own Valkey."""
    with redis.Redis.from_url(own_valkey.url) as connected:  # pyright: ignore[reportUnknownMemberType] - **kwargs
        yield connected
