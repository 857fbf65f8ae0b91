"""Runs an embedded Valkey, reached through a socket that only its user can open."""

import signal
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from dev.embedded import binaries, data_folder, sized_settings
from dev.embedded.server import START_SECONDS, EmbeddedServer
from dev.errors import StartError
from dev.machine_size import MachineSize

SOCKET_NAME = "valkey.sock"
DEFAULT_SETTINGS = {
    "port": "0",
    "daemonize": "no",
    "save": "",
    "appendonly": "yes",
    "appendfsync": "always",
    "maxmemory-policy": "noeviction",
    "unixsocketperm": "700",
}


class EmbeddedValkey(EmbeddedServer):
    name = "Valkey"
    stop_steps = ((signal.SIGTERM, 20.0),)
    server_environment = {"PATH": "/usr/bin:/bin"}  # noqa: RUF012 - a ClassVar of the base

    def __init__(
        self,
        folder: Path,
        *,
        ephemeral: bool = False,
        settings: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Create a server. `ephemeral` never waits for the disk; `settings` override ours (such as `maxmemory`)."""
        super().__init__(folder, "valkey.log", environment=environment)
        self._pid_file = self.folder / "valkey.pid"
        self._socket = data_folder.prepare_socket_folder(self.folder, SOCKET_NAME) / SOCKET_NAME
        sized = sized_settings.of_valkey(MachineSize.read().memory_bytes)
        self._settings = DEFAULT_SETTINGS | sized | ({"appendfsync": "no"} if ephemeral else {}) | dict(settings or {})

    @property
    def url(self) -> str:
        return f"unix://{quote(str(self._socket))}?db=0"

    def _start_locked(self) -> None:
        self._stop_orphan(self._pid_file, str(self._socket))
        self._socket.unlink(missing_ok=True)
        paths = {"dir": str(self.folder), "unixsocket": str(self._socket), "pidfile": str(self._pid_file)}
        options = paths | self._settings
        command = [str(binaries.find_valkey()), *(word for name in options for word in (f"--{name}", options[name]))]
        output = self._launch(command, self._is_ready, time.monotonic() + START_SECONDS)
        if output is not None:
            raise StartError(f"Valkey did not start: {output or 'its log is empty'}")

    def _is_ready(self, _pid: int) -> bool:
        """Return whether the server answers PING with PONG. While it reads its file, it answers -LOADING."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(5)
            try:
                connection.connect(str(self._socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
            except OSError:
                return False
