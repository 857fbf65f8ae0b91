"""Tests the supervisor of a running system in which processes and servers are killed. All tests share the system."""

import os
import re
import signal
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import requests

from dev.embedded import child_process
from dev.errors import StartError
from dev.supervisor.stack import LocalStack
from tests.support.servers.server_folder import temporary_server_folder

OURS = ("ingest", "worker", "api")
SERVERS = ("postgres", "valkey-server")


@pytest.fixture(scope="module")
def shared_stack() -> Iterator[LocalStack]:
    with temporary_server_folder() as folder, LocalStack(folder / "data") as started:
        yield started


@pytest.fixture
def running_stack(shared_stack: LocalStack) -> LocalStack:
    """Return the stack when it is ready again after other tests have killed parts of it."""
    assert child_process.wait_until(lambda: is_ready(shared_stack), 30), shared_stack.output
    return shared_stack


def is_ready(stack: LocalStack) -> bool:
    try:
        answers = [
            requests.get(f"http://{urlsplit(url).netloc}/readyz", timeout=5)
            for url in (stack.webhook_url, stack.api_url)
        ]
    except requests.RequestException:
        return False
    return all(answer.ok for answer in answers) and all(pid_or_none(stack, name) for name in OURS + SERVERS)


@pytest.mark.parametrize("name", OURS)
def test_a_killed_process_is_started_again_and_said_so(running_stack: LocalStack, name: str) -> None:
    """A dead worker fills the queue, and a dead api makes every dashboard empty."""
    before = running_stack.pid_of(name)
    message = "was killed by SIGKILL; restarting"
    earlier = running_stack.output.count(message)

    os.kill(before, signal.SIGKILL)
    running_stack.wait_for_output(message, occurrences=earlier + 1)

    assert child_process.wait_until(lambda: pid_or_none(running_stack, name) not in {None, before}, 10)


@pytest.mark.parametrize("name", SERVERS)
def test_a_killed_server_is_started_again_on_its_data(running_stack: LocalStack, name: str) -> None:
    """Otherwise, the processes would wait for ever for a server that nothing starts."""
    before = running_stack.pid_of(name)
    earlier = running_stack.output.count("restarted")

    os.kill(before, signal.SIGKILL)
    running_stack.wait_for_output("restarted", occurrences=earlier + 1)

    assert running_stack.pid_of(name) != before


def test_a_request_that_comes_while_ingest_is_dead_is_delayed_and_not_refused(running_stack: LocalStack) -> None:
    """The gateway never repeats a webhook, so a refused connection is a lost message."""
    os.kill(running_stack.pid_of("ingest"), signal.SIGKILL)

    answer = requests.post(running_stack.webhook_url, data=b"{}", timeout=20)

    assert answer.status_code == 401  # it is not signed, and ingest itself has answered


def test_a_second_start_on_the_same_data_is_refused(running_stack: LocalStack) -> None:
    """Two PostgreSQL or Valkey servers would destroy a shared folder."""
    second = LocalStack(running_stack.data_dir)
    second.launch()

    assert second.wait() == 1
    assert re.search(r"is in use by process \d+, such as another ./run: stop it", second.output)
    assert is_ready(running_stack)


def pid_or_none(stack: LocalStack, name: str) -> int | None:
    try:
        return stack.pid_of(name)
    except StartError:
        return None
