"""Tests the supervisor with the real processes of `./run`, killed and stopped in every usual way."""

import http.client
import os
import signal
import socket
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from dev.checkout import ROOT
from dev.embedded import child_process
from dev.errors import StartError
from dev.supervisor import listeners
from dev.supervisor.stack import ISOLATED_ENVIRONMENT, LocalStack

OURS = ("ingest", "worker", "api")
SERVERS = ("postgres", "valkey-server")


@pytest.fixture
def stack(server_folder: Path) -> Iterator[LocalStack]:
    """Return a stack for tests that stop it."""
    with LocalStack(server_folder / "data") as started:
        yield started


def url_of(url: str, path: str) -> str:
    return f"http://{urlsplit(url).netloc}{path}"


def test_ready_is_said_once_everything_answers(stack: LocalStack) -> None:
    """Scripts and people continue when they see this line, so everything must be ready by then."""
    for url in (stack.webhook_url, stack.api_url):
        assert requests.get(url_of(url, "/readyz"), timeout=5).status_code == 200
    bearer = {"Authorization": f"Bearer {stack.token}"}
    assert requests.get(url_of(stack.api_url, "/api/chats"), headers=bearer, timeout=5).status_code == 200

    assert stack.output.count("ready") == 1


@pytest.mark.parametrize(
    "number",
    [signal.SIGINT, *(pytest.param(number, marks=pytest.mark.long) for number in (signal.SIGTERM, signal.SIGHUP))],
)
def test_a_signal_stops_everything_in_order(server_folder: Path, number: signal.Signals) -> None:
    """Remaining processes would hold ports, locks and memory, and the next start would fail."""
    stack = LocalStack(server_folder / "data")
    stack.start()
    assert len(stack.pids_using_data_dir()) >= len(OURS + SERVERS) + 1

    stack.send_signal(number)

    assert stack.wait() == 0
    assert stack.pids_using_data_dir() == []
    assert not (stack.data_dir / "database-url").exists()


@pytest.mark.long
def test_nothing_survives_a_killed_supervisor(server_folder: Path) -> None:
    """After kill -9 of the supervisor, nothing can stop the processes, so they must end by themselves."""
    stack = LocalStack(server_folder / "data")
    stack.start()

    stack.send_signal(signal.SIGKILL)
    stack.wait()

    assert child_process.wait_until(lambda: stack.pids_using_data_dir() == [], 30), [
        *map(child_process.command_line, stack.pids_using_data_dir())
    ]


def test_a_signal_during_the_start_leaves_nothing(server_folder: Path) -> None:
    """Users press Ctrl-C most often while they wait."""
    stack = LocalStack(server_folder / "data")
    stack.launch()
    stack.wait_for_output("postgres | starting")

    assert stack.stop() == 0
    assert stack.pids_using_data_dir() == []


@pytest.mark.long
def test_a_start_after_a_killed_supervisor_finds_secrets_and_data(server_folder: Path) -> None:
    """The secret that the gateway uses and all acknowledged events must survive every kind of end."""
    stack = LocalStack(server_folder / "data")
    stack.start()
    token = stack.token
    secrets = [stack.data_dir / name for name in ("webhook-secret", "api-token")]
    contents = [path.read_text() for path in secrets]
    stack.send_signal(signal.SIGKILL)
    stack.wait()

    with stack:
        assert stack.token == token
        assert "migrated" not in stack.output  # the existing database is used
        assert [path.read_text() for path in secrets] == contents
        assert {stat.S_IMODE(path.stat().st_mode) for path in secrets} == {0o600}


def test_a_port_in_use_is_told_with_the_variable_that_changes_it(server_folder: Path) -> None:
    """This is the most common failure on a developer's machine."""
    with listeners.open_listener("127.0.0.1", 0, "-") as taken:
        port = str(listeners.port_of(taken))
        stack = LocalStack(server_folder / "data", {"API_PORT": port})
        with pytest.raises(StartError):
            stack.start()

    assert stack.wait() == 1
    assert f"Port {port} on 127.0.0.1 is taken by another program: stop it, or set API_PORT." in stack.output


def test_a_data_folder_that_cannot_be_is_told(server_folder: Path) -> None:
    """It may be a folder of another user, or a file. A traceback would not name the variable."""
    (server_folder / "file").touch()
    stack = LocalStack(server_folder / "file")
    stack.launch()

    assert stack.wait() == 1
    assert stack.output == f"DATA_DIR {server_folder / 'file'} cannot be used: File exists."


@pytest.mark.long
def test_given_servers_are_used_instead_of_embedded_ones(
    server_folder: Path, database_url: str, redis_url: str
) -> None:
    """A deployment has its own servers. An additional embedded one would silently store half of the history."""
    with LocalStack(
        server_folder / "data", {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "WORKERS": "2"}
    ) as stack:
        assert (stack.data_dir / "database-url").read_text().strip() == database_url
        assert not (stack.data_dir / "postgres").exists()
        assert not (stack.data_dir / "valkey").exists()
        with pytest.raises(StartError):
            stack.pid_of("postgres")


@pytest.mark.long
def test_it_goes_on_when_nobody_reads_what_it_says(server_folder: Path) -> None:
    """Scripts wait with `./run | grep -m1 ready`, after which the pipe is closed."""
    port = str(listeners.free_port("127.0.0.1", 0, "-"))
    environment = os.environ | ISOLATED_ENVIRONMENT | {"DATA_DIR": str(server_folder / "data"), "INGEST_PORT": port}
    reader, writer = os.pipe()
    supervisor = child_process.start([sys.executable, "-m", "dev"], writer, environment=environment, cwd=str(ROOT))
    os.close(writer)
    os.close(reader)

    def answers() -> bool:
        try:
            return requests.get(f"http://127.0.0.1:{port}/readyz", timeout=5).ok
        except requests.RequestException:
            return False

    assert child_process.wait_until(answers, 30)
    supervisor.send_signal(signal.SIGTERM)
    assert supervisor.wait(60) == 0


def test_a_database_that_is_not_there_is_told_in_a_sentence(server_folder: Path) -> None:
    """A mistyped DATABASE_URL is the second most common failure, and it may contain a password."""
    stack = LocalStack(server_folder / "data", {"DATABASE_URL": "postgresql://app:hidden@127.0.0.1:1/history"})
    stack.launch()

    assert stack.wait() == 1
    assert "The database could not be migrated" in stack.output
    assert "Traceback" not in stack.output
    assert "hidden" not in stack.output
    assert stack.pids_using_data_dir() == []


@pytest.mark.long
def test_a_second_signal_ends_what_does_not_want_to_end(stack: LocalStack) -> None:
    """A second Ctrl-C means that the user does not want to wait any longer."""
    os.kill(stack.pid_of("ingest"), signal.SIGSTOP)
    stack.send_signal(signal.SIGINT)
    stack.wait_for_output("stopping")
    stack.send_signal(signal.SIGINT)

    assert stack.wait() == 0
    assert "did not stop in time: killing it" in stack.output
    assert stack.pids_using_data_dir() == []


@pytest.mark.long
def test_new_connections_are_refused_once_it_stops(stack: LocalStack) -> None:
    """An accepted connection without a response costs the gateway its timeout of eight seconds."""
    address = urlsplit(stack.webhook_url)
    assert address.hostname
    assert address.port
    with socket.create_connection((address.hostname, address.port)):
        stack.stop()

    connection = http.client.HTTPConnection(address.hostname, address.port)
    with pytest.raises(ConnectionRefusedError):
        connection.request("GET", "/healthz")
