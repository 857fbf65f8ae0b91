from collections.abc import Iterator

import pytest

from tests.support.processes.running_system import RunningSystem, running_system


@pytest.fixture(scope="package")
def system() -> Iterator[RunningSystem]:
    """A stack for the tests of this folder, each of which writes to chats of its own."""
    with running_system() as running:
        yield running


@pytest.fixture(scope="module")
def new_system() -> Iterator[RunningSystem]:
    """A stack for the tests of a module that count everything in it."""
    with running_system() as running:
        yield running
