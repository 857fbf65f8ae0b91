"""Starts, kills and restarts one of our processes on the same listening socket."""

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Protocol, Self

from dev.checkout import ROOT
from dev.embedded import child_process

# fmt: off
SCRUBBED_VARIABLES = (
    "DATABASE_URL", "DIRECT_DATABASE_URL", "READ_DATABASE_URL", "REDIS_URL", "WORKER_PORT", "SAK_FAILPOINT",
    "LISTEN_FD", "PORT", "SPOOL_DIR", "DATA_DIR",
)
# fmt: on
"""Variables of our own environment that must not reach the processes."""
STOP_SECONDS = 20.0


class Child(Protocol):
    """The part of `subprocess.Popen` that is needed."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...


class ManagedProcess:
    """A process that may be restarted. Start it only from the main thread, on which its death signal depends."""

    def __init__(  # noqa: PLR0913 - the environment of a process
        self,
        module: str,
        environment: Mapping[str, str],
        log_path: Path,
        *,
        pass_fds: Sequence[int] = (),
        prelude: str | None = None,
        code_folder: Path = ROOT,
    ) -> None:
        """Create a process. `prelude` is Python code that runs in it before the module, for limits and log levels.

        `code_folder` is the folder that contains the module, which may belong to another release.
        """
        self.module = module
        self.environment = {name: value for name, value in os.environ.items() if name not in SCRUBBED_VARIABLES} | dict(
            environment
        )
        self.log_path = log_path
        self.start_count = 0
        self._code = code_folder
        self._pass_fds = pass_fds
        run = ["-c", f"{prelude}\nimport runpy\nrunpy.run_module({module!r}, run_name='__main__', alter_sys=True)"]
        self._command = [sys.executable, *(run if prelude else ["-m", module])]
        self._child: Child | None = None

    @property
    def pid(self) -> int:
        assert self._child is not None, f"{self.module} was never started"
        return self._child.pid

    @property
    def is_running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    @property
    def output(self) -> str:
        """The output across restarts."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def start(self, **extra: str) -> Self:
        """Start the process. `extra` is added to the environment of this start only."""
        assert not self.is_running, f"{self.module} runs"
        with self.log_path.open("ab") as log:
            self._child = self._start(log, self.environment | extra)
        self.start_count += 1
        return self

    def _start(self, log: IO[bytes], environment: Mapping[str, str]) -> Child:
        return child_process.start(
            self._command, log, environment=environment, pass_fds=self._pass_fds, cwd=str(self._code)
        )

    def restart_if_ended(self) -> None:
        """Restart the process if it has ended, like a supervisor."""
        if not self.is_running:
            self.start()

    def send_signal(self, number: signal.Signals) -> None:
        if self.is_running:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill the process and wait until it has ended."""
        self.send_signal(signal.SIGKILL)
        self.wait()

    def terminate(self) -> int:
        """Send SIGTERM and return the exit code."""
        self.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self, seconds: float = STOP_SECONDS) -> int:
        """Return the exit code. Raises subprocess.TimeoutExpired if the process does not end in time."""
        assert self._child is not None
        return self._child.wait(seconds)

    def __enter__(self) -> Self:
        return self if self.is_running else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._child is not None:
            self.send_signal(signal.SIGCONT)
            self.kill()
