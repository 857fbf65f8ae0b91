"""Manages an embedded server: one folder, one process, one lock."""

import contextlib
import os
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from dev.embedded import child_process, data_folder
from dev.embedded.system_user import SystemUser
from dev.errors import StartError

START_SECONDS = 120.0


class EmbeddedServer(ABC):
    """A server that keeps its data across `stop`, `kill` and `start`."""

    name: ClassVar[str]
    stop_steps: ClassVar[tuple[tuple[signal.Signals, float], ...]]
    """The signals in order, each with the seconds to wait for the server to end. Then it is killed."""
    death_signal: ClassVar[signal.Signals] = signal.SIGTERM
    """The signal that the server receives when its parent dies."""
    server_environment: ClassVar[Mapping[str, str]]

    def __init__(
        self,
        folder: Path,
        log_name: str,
        account: SystemUser | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Create a server. `account` is the user to run as, if not ours; `environment` is added to the server's."""
        self.folder = data_folder.prepare(folder, account)
        self.lock = data_folder.FolderLock(self.folder)
        self._account = account
        self._environment = {**self.server_environment, **(environment or {})}
        self._log = self.folder / log_name
        self._process: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def url(self) -> str: ...

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process id of the running server. Raises StartError if it does not run."""
        if not self.running or self._process is None:
            raise StartError(f"{self.name} on {self.folder} does not run.")
        return self._process.pid

    def process_ids(self) -> list[int]:
        """Return the server's process and its children. Raises StartError if it does not run."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        return [self.pid, *(map(int, children.read_text().split()) if children.exists() else ())]

    def start(self) -> None:
        """Start the server and return when it accepts connections.

        Raises StartError with its log if it does not start.
        """
        if self.running:
            raise StartError(f"{self.name} on {self.folder} is running.")
        self.lock.acquire()
        try:
            self._start_locked()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        if self._process:
            child_process.stop(self._process, *self.stop_steps)
            self._process = None
        self.lock.release()

    def kill(self) -> None:
        """Kill the server's process. `start` recovers the data.

        The children notice and end. Stopped children are continued for this purpose, because they would hold the shared
        memory.
        """
        if self._process:
            children = self.process_ids()[1:] if self.running else []
            self._process.kill()
            self._process.wait()
            for child in children:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGCONT)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @abstractmethod
    def _start_locked(self) -> None:
        """Start the server while this process holds the lock of the folder."""

    def _stop_orphan(self, pid_file: Path, marker: str) -> int | None:
        """End the server of an earlier run that was killed. The marker is part of its command line.

        Return the process id in the file if it is stale: it belongs to no process, to another program, or to a killed
        server that its parent has not reaped.
        """
        text = pid_file.read_text().partition("\n")[0].strip() if pid_file.exists() else ""
        if not text.isdigit():
            return None
        pid = int(text)
        child_process.stop_orphan(pid, marker, *self.stop_steps)
        return None if marker in child_process.command_line(pid) else pid

    def _launch(
        self,
        command: Sequence[str],
        is_ready: Callable[[int], bool],
        deadline: float,
        environment: Mapping[str, str] | None = None,
    ) -> str | None:
        """Start the program and wait until it is ready. Return None, or the new part of its log if it fails.

        `environment` is added to the server's.
        """
        with data_folder.open_log(self._log) as log:
            log_start = log.seek(0, 2)
            process = child_process.start(
                command,
                log,
                environment={**self._environment, **(environment or {})},
                user=self._account,
                death_signal=self.death_signal,
                umask=0o077,
            )
        self._process = process
        child_process.wait_until(
            lambda: process.poll() is not None or is_ready(process.pid), deadline - time.monotonic()
        )
        if process.poll() is None and is_ready(process.pid):
            return None
        return self._log.read_bytes()[log_start:].decode(errors="replace").strip()
