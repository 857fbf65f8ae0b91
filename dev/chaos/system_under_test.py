"""The system of a campaign: private servers, a proxy in front of each, and processes that are restarted."""

import shutil
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import unquote, urlsplit

from dev.chaos import event_generator
from dev.chaos.fault_proxy import FaultProxy
from dev.embedded import data_folder, postgres
from dev.embedded.managed_process import ManagedProcess
from dev.embedded.postgres import EmbeddedPostgres
from dev.embedded.valkey import EmbeddedValkey
from dev.supervisor import listeners
from store.postgres import migrator

# Nothing here survives a power failure; a killed process loses no more than in production.
POSTGRES_SETTINGS = {"synchronous_commit": "on", "full_page_writes": "on", "max_connections": "60"}


def socket_path(valkey: EmbeddedValkey) -> Path:
    return Path(unquote(urlsplit(valkey.url).path))


class SystemUnderTest:
    """Starts when entered, on a folder in memory if there is room; leaves nothing behind."""

    def __init__(
        self, *, workers: int = 1, environment: Mapping[str, str] | None = None, prelude: str | None = None
    ) -> None:
        """`environment` is added to what each process is given; `prelude` is Python that runs in it first."""
        self.folder = data_folder.create_temporary()
        self.postgres = EmbeddedPostgres(self.folder / "postgres", ephemeral=True, settings=POSTGRES_SETTINGS)
        self.valkey = EmbeddedValkey(self.folder / "valkey")
        self._cleanup = ExitStack()
        self._environment = dict(environment or {})
        self._worker_count = workers
        self._prelude = prelude

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
            for server in (self.postgres, self.valkey):
                server.start()
                stack.callback(server.stop)
            migrator.migrate(self.postgres.url)
            self._build_processes(stack)
            for program in self.processes:
                stack.enter_context(program)
            self._cleanup = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cleanup.close()

    def _build_processes(self, stack: ExitStack) -> None:
        redis_socket = socket_path(self.valkey)
        self.ingest_redis = stack.enter_context(FaultProxy(redis_socket))
        self.worker_redis = stack.enter_context(FaultProxy(redis_socket))
        self.worker_postgres = stack.enter_context(FaultProxy(self.postgres.socket_folder / postgres.SOCKET_NAME))
        self.proxies = (self.ingest_redis, self.worker_redis, self.worker_postgres)
        listener = stack.enter_context(listeners.open_listener("127.0.0.1", 0, "INGEST_PORT"))
        self.port = listeners.port_of(listener)
        number = listener.fileno()
        shared = {"WEBHOOK_SECRETS": event_generator.SECRET, "DATA_DIR": str(self.folder), **self._environment}
        self.ingest = ManagedProcess(
            "ingest",
            shared | {"REDIS_URL": self._redis_url(self.ingest_redis), "LISTEN_FD": str(number)},
            self.folder / "ingest.log",
            pass_fds=[number],
            prelude=self._prelude,
        )
        self.workers = [
            ManagedProcess(
                "worker",
                shared
                | {
                    "REDIS_URL": self._redis_url(self.worker_redis),
                    "DATABASE_URL": f"postgresql://{postgres.ROLE}@127.0.0.1:{self.worker_postgres.port}/history",
                },
                self.folder / f"worker-{index}.log",
                prelude=self._prelude,
            )
            for index in range(self._worker_count)
        ]
        self.processes = (self.ingest, *self.workers)

    @property
    def log_paths(self) -> list[Path]:
        """The output of all processes and servers."""
        return [*self.folder.glob("*.log"), *self.folder.glob("*/*.log")]

    def restart_ended(self) -> None:
        """Start again whatever has ended, as the supervisor would."""
        for program in self.processes:
            program.restart_if_ended()

    def repair(self) -> None:
        """Make everything whole: servers up, proxies faithful, processes running."""
        for proxy in self.proxies:
            proxy.heal()
        for server in (self.postgres, self.valkey):
            if not server.running:
                server.start()
        self.restart_ended()

    def wait(self, seconds: float, *, restart: bool = True) -> None:
        """Let time pass, looking after the processes meanwhile."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if restart:
                self.restart_ended()
            time.sleep(min(0.05, left))

    @staticmethod
    def _redis_url(proxy: FaultProxy) -> str:
        return f"redis://127.0.0.1:{proxy.port}/0"
