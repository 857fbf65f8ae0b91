"""Runs a Redis of two servers with three Sentinels."""

import shutil
import signal
import socket
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, cast

import redis

from dev.embedded import binaries, child_process
from dev.embedded.valkey import EmbeddedValkey
from tests.support.waiting import wait_until

PRIMARY_NAME = "main"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def connect(port: int) -> Any:  # noqa: ANN401 - redis-py's replies are unions of which a test knows the one that comes
    return redis.Redis(host="127.0.0.1", port=port, socket_timeout=5, socket_connect_timeout=5)


class SentinelDeployment:
    """The servers by port. The Sentinels decide which one is the primary."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self.servers: dict[int, EmbeddedValkey] = {}
        self.sentinels: list[int] = []

    @property
    def url(self) -> str:
        return f"redis+sentinel://{','.join(f'127.0.0.1:{port}' for port in self.sentinels)}/{PRIMARY_NAME}/0"

    @property
    def primary(self) -> int:
        """The port that most Sentinels name."""
        named: list[int] = []
        for port in self.sentinels:
            try:
                named.append(int(connect(port).sentinel_get_master_addr_by_name(PRIMARY_NAME)[1]))
            except (redis.RedisError, TypeError):
                continue
        return max(set(named), key=named.count) if named else 0

    def start(self) -> None:
        first, second = free_port(), free_port()
        self.start_server(first)
        self.start_server(second, primary_port=first)
        self.sentinels = [free_port() for _ in range(3)]
        for port in self.sentinels:
            self._start_sentinel(port, first)
        wait_until(lambda: all(self._sees_all_servers(port) for port in self.sentinels))

    def start_server(self, port: int, *, primary_port: int | None = None) -> None:
        """Start the server on a port, as a primary or as the replica of another server."""
        settings = {"port": str(port), "bind": "127.0.0.1", "repl-diskless-sync-delay": "0"}
        if primary_port is not None:
            settings["replicaof"] = f"127.0.0.1 {primary_port}"
        self.servers[port] = server = EmbeddedValkey(self._folder / f"valkey-{port}", settings=settings)
        server.start()
        self._stack.callback(server.stop)

    def fail_over(self) -> int:
        """Make the replica take over from a running primary. Return the port of the new primary."""
        old = self.primary
        wait_until(lambda: self._request_failover(old))
        wait_until(lambda: self.primary not in {0, old} and self.is_primary(self.primary), 60)
        return self.primary

    def is_primary(self, port: int) -> bool:
        try:
            return cast("str", connect(port).info("replication")["role"]) == "master"
        except redis.RedisError:
            return False

    def count_replicas(self, port: int) -> int:
        try:
            return int(connect(port).info("replication")["connected_slaves"])
        except redis.RedisError:
            return 0

    def close(self) -> None:
        self._stack.close()

    def _request_failover(self, old: int) -> bool:
        try:
            connect(self.sentinels[0]).execute_command("SENTINEL FAILOVER " + PRIMARY_NAME)
        except redis.RedisError:  # there is no suitable replica yet, or a failover is in progress
            return self.primary not in {0, old}
        return True

    def _sees_all_servers(self, port: int) -> bool:
        try:
            facts = connect(port).sentinel_master(PRIMARY_NAME)
        except redis.RedisError:
            return False
        return facts["num-slaves"] >= 1 and facts["num-other-sentinels"] == len(self.sentinels) - 1

    def _start_sentinel(self, port: int, first: int) -> None:
        folder = self._folder / f"sentinel-{port}"
        folder.mkdir()
        configuration = folder / "sentinel.conf"
        configuration.write_text(
            f"port {port}\nbind 127.0.0.1\ndir {folder}\nsentinel monitor {PRIMARY_NAME} 127.0.0.1 {first} 2\n"
            f"sentinel down-after-milliseconds {PRIMARY_NAME} 1000\nsentinel failover-timeout {PRIMARY_NAME} 5000\n"
        )
        with (folder / "log").open("wb") as log:
            command = [str(binaries.find_valkey()), str(configuration), "--sentinel"]
            process = child_process.start(command, log, environment={"PATH": "/usr/bin:/bin"})
        self._stack.callback(process.wait)
        self._stack.callback(process.send_signal, signal.SIGKILL)


@contextmanager
def running_sentinels(folder: Path) -> Generator[SentinelDeployment]:
    place = folder / "redis"
    place.mkdir()
    both = SentinelDeployment(place)
    try:
        both.start()
        yield both
    finally:
        both.close()
        shutil.rmtree(place)
