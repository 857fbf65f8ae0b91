import shutil
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from dev.embedded import data_folder
from dev.embedded.servers import EmbeddedServers
from store.postgres import migrator
from tests.support.processes.observed_system import ObservedSystem


@pytest.fixture
def exit_stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture(scope="module")
def observed_system() -> Iterator[ObservedSystem]:
    folder = data_folder.create_temporary()
    servers = EmbeddedServers.ephemeral(folder)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        servers.start()
        stack.callback(servers.stop)
        migrator.migrate(servers.postgres.url)
        yield ObservedSystem(servers.postgres.url, servers.valkey.url, stack, folder)
