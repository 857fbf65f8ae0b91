"""Runs Debian's PgBouncer in transaction mode in front of a PostgreSQL of the tests."""

import socket
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from dev.embedded import child_process, postgres, system_user
from dev.embedded.postgres import EmbeddedPostgres
from tests.support import requirements

CONFIGURATION = """
[databases]
* = host={folder} user={role}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {size}
max_client_conn = 200
query_wait_timeout = 20
ignore_startup_parameters = {ignored}
"""


@contextmanager
def running(
    server: EmbeddedPostgres, folder: Path, *, pool_size: int = 4, ignored_parameters: str = ""
) -> Generator[int]:
    """Run PgBouncer and yield its port. Its clients share `pool_size` sessions of PostgreSQL."""
    requirements.require("pgbouncer")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
    user = system_user.for_data_folder(server.folder / "data")
    configuration = folder / f"pgbouncer-{port}.ini"
    configuration.write_text(
        CONFIGURATION.format(
            folder=server.socket_folder, role=postgres.ROLE, port=port, size=pool_size, ignored=ignored_parameters
        )
    )
    with (folder / f"pgbouncer-{port}.log").open("w+b") as log:
        process = child_process.start(
            [str(requirements.PGBOUNCER), str(configuration)], log, environment=postgres.SERVER_ENVIRONMENT, user=user
        )
        try:
            _wait_until_listening(port, process, Path(log.name))
            yield port
        finally:
            process.kill()
            process.wait()


def _wait_until_listening(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except OSError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.02)
        else:
            return
