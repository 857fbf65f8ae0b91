"""An embedded Valkey: one home, one server, reached through a socket that only its user can open."""

import contextlib
import signal
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from dev.embedded import binaries, child_process, data_folder
from dev.errors import StartError

SOCKET_NAME = "valkey.sock"
START_SECONDS = 120.0
STOP_STEPS = ((signal.SIGTERM, 20.0),)
DEFAULT_SETTINGS = {
    "port": "0",
    "daemonize": "no",
    "save": "",
    "appendonly": "yes",
    "appendfsync": "always",
    "maxmemory": "512mb",
    "maxmemory-policy": "noeviction",
    "unixsocketperm": "700",
}


class EmbeddedValkey:
    """Keeps what it was given across `stop`, `kill` and `start`, unless it is ephemeral."""

    def __init__(self, folder: Path, *, ephemeral: bool = False, settings: Mapping[str, str] | None = None) -> None:
        """`ephemeral` never waits for the disk; `settings` outrank ours (`maxmemory`, `appendfsync`, …)."""
        self.folder = data_folder.prepare(folder, None)
        self._log = self.folder / "valkey.log"
        self._pid_file = self.folder / "valkey.pid"
        self.lock = data_folder.FolderLock(self.folder)
        self._socket = data_folder.prepare_socket_folder(self.folder, SOCKET_NAME) / SOCKET_NAME
        self._settings = DEFAULT_SETTINGS | ({"appendfsync": "no"} if ephemeral else {}) | dict(settings or {})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{quote(str(self._socket))}?db=0"

    @property
    def pid(self) -> int:
        """The process id of the running server; raises StartError if it does not run."""
        if not self.running or self._process is None:
            raise StartError(f"Valkey on {self.folder} does not run.")
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Return when the server answers; raise StartError if it does not."""
        if self.running:
            raise StartError(f"Valkey on {self.folder} is running.")
        self.lock.acquire()
        try:
            self._stop_orphan()
            self._start_server()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        if self._process:
            child_process.stop(self._process, *STOP_STEPS)
            self._process = None
        self.lock.release()

    def kill(self) -> None:
        """End the server as a power cut would, and keep the home: `start` reads what is on disk."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _stop_orphan(self) -> None:
        """A server on this home, while we hold the lock, was left by a supervisor that was killed."""
        with contextlib.suppress(FileNotFoundError):
            written = self._pid_file.read_text().strip()
            if written.isdigit():
                child_process.stop_orphan(int(written), str(self._socket), *STOP_STEPS)
        self._socket.unlink(missing_ok=True)

    def _start_server(self) -> None:
        program = binaries.find_valkey()
        places = {"dir": str(self.folder), "unixsocket": str(self._socket), "pidfile": str(self._pid_file)}
        options = places | self._settings
        command = [str(program), *(word for name, value in options.items() for word in (f"--{name}", value))]
        with data_folder.open_log(self._log) as log:
            start = log.seek(0, 2)
            self._process = process = child_process.start(command, log, environment={"PATH": "/usr/bin:/bin"})
        ended = child_process.wait_until(lambda: process.poll() is not None or self._is_ready(), START_SECONDS)
        if not ended or process.poll() is not None:
            said = self._log.read_bytes()[start:].decode(errors="replace").strip()
            raise StartError(f"Valkey did not start: {said or 'no word of it'}")

    def _is_ready(self) -> bool:
        """Whether a PING gets its PONG; while the server reads its file, the answer is -LOADING."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(5)
            try:
                connection.connect(str(self._socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
            except OSError:
                return False
