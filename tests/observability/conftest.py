from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from dev.embedded.servers import EmbeddedServers
from store.postgres import migrator
from tests.support.processes.observed_system import ObservedSystem
from tests.support.servers.server_folder import temporary_server_folder


@pytest.fixture
def exit_stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture(scope="module")
def observed_system() -> Iterator[ObservedSystem]:
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_server_folder())
        servers = EmbeddedServers.ephemeral(folder)
        servers.start()
        stack.callback(servers.stop)
        migrator.migrate(servers.postgres.url)
        yield ObservedSystem(servers.postgres.url, servers.valkey.url, stack, folder)
