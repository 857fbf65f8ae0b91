import shutil
from collections.abc import Iterator

import pytest

from dev.embedded import data_folder
from dev.supervisor.stack import LocalStack
from tests.support.processes.running_system import WEBHOOK_SECRET, RunningSystem


@pytest.fixture(scope="module")
def system() -> Iterator[RunningSystem]:
    """A stack for the module. Each test writes to chats of its own."""
    folder = data_folder.create_temporary()
    with LocalStack(folder / "data", {"WEBHOOK_SECRETS": WEBHOOK_SECRET}) as stack:
        yield RunningSystem(stack)
    shutil.rmtree(folder)
