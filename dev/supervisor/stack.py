"""Starts a private system like `./run`, for tests and measurements."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from dev.checkout import ROOT
from dev.embedded import child_process
from dev.errors import StartError
from dev.supervisor.console import LOG_NAME

READY_LINE = re.compile(
    r"ready: webhooks to (?P<webhook>\S+), api at (?P<api>\S+), dashboard at \S+#token=(?P<token>\S+)"
)
START_SECONDS = 60.0
ISOLATED_ENVIRONMENT = {
    "INGEST_PORT": "0",
    "API_PORT": "0",
    "GATEWAY_PORT": "0",
    "DATABASE_URL": "",
    "DIRECT_DATABASE_URL": "",
    "READ_DATABASE_URL": "",
    "REDIS_URL": "",
    "WORKER_PORT": "",
    "WORKERS": "1",
}
"""Free ports, private servers and one worker, whatever `.env` contains and how many cores there are."""


class LocalStack:
    """A local system that keeps its data folder, so that `start` continues after `stop` or `kill`."""

    def __init__(
        self, data_dir: Path, environment: Mapping[str, str] | None = None, arguments: Sequence[str] = ()
    ) -> None:
        self.data_dir = data_dir
        self.output_lines: list[str] = []
        """The output since the last start."""
        self.webhook_url = self.api_url = self.token = ""
        self._environment = os.environ | ISOLATED_ENVIRONMENT | {"DATA_DIR": str(data_dir)} | dict(environment or {})
        self._arguments = arguments
        self._supervisor: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None

    @property
    def output(self) -> str:
        """The output since the last start and, in a demo, the lines of the programs' log."""
        log = self.data_dir / LOG_NAME
        lines = log.read_text().splitlines() if "--demo" in self._arguments and log.exists() else []
        return "\n".join([*self.output_lines, *lines])

    def launch(self) -> None:
        """Start without waiting for anything."""
        self.output_lines = []
        command = [sys.executable, "-m", "dev", *self._arguments]
        self._supervisor = supervisor = child_process.start(
            command, subprocess.PIPE, environment=self._environment, cwd=str(ROOT)
        )
        self._reader = threading.Thread(target=self._collect_output, args=[supervisor, self.output_lines], daemon=True)
        self._reader.start()

    def start(self) -> None:
        """Start and return when the system is ready. Raises StartError with its output if that does not happen."""
        self.launch()
        self.wait_for_output("ready: ", START_SECONDS)
        found = READY_LINE.search(self.output)
        assert found
        self.webhook_url, self.api_url, self.token = found["webhook"], found["api"], found["token"]

    def wait_for_output(self, text: str, seconds: float = 30.0, occurrences: int = 1) -> None:
        """Wait until the output contains the text this often. Raises StartError if that does not happen."""
        child_process.wait_until(lambda: self.output.count(text) >= occurrences or not self.is_running, seconds)
        if self.output.count(text) < occurrences:
            raise StartError(f"{text!r} did not appear {occurrences} times in the output:\n{self.output}")

    @property
    def is_running(self) -> bool:
        return self._supervisor is not None and self._supervisor.poll() is None

    def send_signal(self, signal_number: signal.Signals) -> None:
        assert self._supervisor
        self._supervisor.send_signal(signal_number)

    def wait(self, seconds: float = 60.0) -> int:
        """Return the exit code of the supervisor, once it has ended and its output is read."""
        assert self._supervisor
        assert self._reader
        code = self._supervisor.wait(seconds)
        self._reader.join(seconds)
        return code

    def stop(self) -> int:
        """Stop the system if it runs and return its exit code."""
        if self.is_running:
            self.send_signal(signal.SIGTERM)
        return self.wait()

    def pid_of(self, name: str) -> int:
        """Return the process that runs `python -m NAME`, or the embedded `postgres` or `valkey-server`. Linux only."""
        assert self._supervisor
        for pid in _running_pids():
            words = child_process.command_line(pid).split()
            if (
                _parent_pid(pid) == self._supervisor.pid
                and words
                and (words[-2:] == ["-m", name] or words[0].endswith(name))
            ):
                return pid
        raise StartError(f"There is no process {name}.")

    def pids_using_data_dir(self) -> list[int]:
        """Return the ids of all processes that use this data folder. Linux only."""
        return [pid for pid in _running_pids() if pid != os.getpid() and self._uses_data_dir(pid)]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _uses_data_dir(self, pid: int) -> bool:
        mark = str(self.data_dir)
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes()
            folder = os.readlink(f"/proc/{pid}/cwd")  # noqa: PTH115 - a removed path is returned as it was
        except OSError:
            return False
        return (
            f"DATA_DIR={mark}\0".encode() in environment
            or folder.startswith(mark)
            or mark in child_process.command_line(pid)
        )

    @staticmethod
    def _collect_output(supervisor: subprocess.Popen[bytes], lines: list[str]) -> None:
        assert supervisor.stdout
        with supervisor.stdout as output:
            for line in output:
                lines.append(line.decode(errors="replace").rstrip())  # noqa: PERF401 - each is needed at once


def _running_pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _parent_pid(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError):
        return 0
