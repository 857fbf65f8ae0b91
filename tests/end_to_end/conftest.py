from collections.abc import Iterator

import pytest

from dev.supervisor.stack import LocalStack
from tests.support.processes.running_system import WEBHOOK_SECRET, RunningSystem
from tests.support.servers.server_folder import temporary_server_folder


@pytest.fixture(scope="module")
def system() -> Iterator[RunningSystem]:
    """A stack for the module. Each test writes to chats of its own."""
    with temporary_server_folder() as folder, LocalStack(folder / "data", {"WEBHOOK_SECRETS": WEBHOOK_SECRET}) as stack:
        yield RunningSystem(stack)
