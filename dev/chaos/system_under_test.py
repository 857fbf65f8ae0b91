"""Runs the system of a campaign: private servers, a proxy in front of each, and processes that are restarted."""

import itertools
import shutil
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import unquote, urlsplit

from dev.chaos import event_generator, replication
from dev.chaos.faults import disk_shim
from dev.chaos.faults.disk_shim import DiskShim
from dev.chaos.faults.fault_proxy import FaultProxy
from dev.embedded import data_folder, postgres
from dev.embedded.managed_process import ManagedProcess
from dev.embedded.postgres import EmbeddedPostgres
from dev.embedded.valkey import EmbeddedValkey
from dev.supervisor import listeners
from store.postgres import migrator

# Nothing here survives a power failure. A killed process loses no more than in production.
POSTGRES_SETTINGS = {"synchronous_commit": "on", "full_page_writes": "on", "max_connections": "60"}
STANDBY_SETTINGS = {"wal_keep_size": "256MB", "wal_retrieve_retry_interval": "200ms"}
"""The settings of a standby, which reconnects soon after its link was down."""
REPLICATED_VALKEY_SETTINGS = {"appendfsync": "everysec", "repl-diskless-sync-delay": "0"}
"""The settings of a managed Redis. The promises must hold with them."""


def socket_path(valkey: EmbeddedValkey) -> Path:
    return Path(unquote(urlsplit(valkey.url).path))


class SystemUnderTest:
    """The system, started on entry, in a folder in memory if there is room. Leaves nothing behind."""

    def __init__(
        self,
        *,
        workers: int = 1,
        environment: Mapping[str, str] | None = None,
        prelude: str | None = None,
        is_replicated: bool = False,
    ) -> None:
        """Create a system. `environment` is added to each process; `prelude` is Python code that runs in it first.

        If `is_replicated` is set, both servers have an asynchronous replica, Redis confirms before its disk does, and,
        with a C compiler, the disks of Redis and ingest can be made slow or full.
        """
        self.folder = data_folder.create_temporary()
        self.postgres_replica: EmbeddedPostgres | None = None
        self.valkey_replica: EmbeddedValkey | None = None
        self._redis_disks: dict[EmbeddedValkey, DiskShim] = {}
        self.ingest_disk: DiskShim | None = None
        """The spool's disk and ingest's clock, if they can have faults."""
        self._folder_numbers = itertools.count(1)
        self._is_replicated = is_replicated
        self._prelude = prelude
        if is_replicated and disk_shim.find_compiler() is not None:
            self.ingest_disk = self._build_shim(self.folder / "spool")
        self._postgres_settings = POSTGRES_SETTINGS | (STANDBY_SETTINGS if is_replicated else {})
        self.postgres = EmbeddedPostgres(
            self._next_folder("postgres"), ephemeral=True, settings=self._postgres_settings
        )
        self.valkey = self._new_valkey()
        self._cleanup = ExitStack()
        self._environment = dict(environment or {})
        self._worker_count = workers

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
            stack.callback(self._stop_servers)
            self.postgres.start()
            self.valkey.start()
            migrator.migrate(self.postgres.url)
            self._build_processes(stack)
            if self._is_replicated:
                self._add_postgres_replica()
                self._add_valkey_replica()
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
        self.postgres_link = stack.enter_context(FaultProxy(self.postgres.socket_folder / postgres.SOCKET_NAME))
        self.redis_link = stack.enter_context(FaultProxy(redis_socket))
        self.proxies = (self.ingest_redis, self.worker_redis, self.worker_postgres)
        listener = stack.enter_context(listeners.open_listener("127.0.0.1", 0, "INGEST_PORT"))
        self.port = listeners.port_of(listener)
        number = listener.fileno()
        shared = {"WEBHOOK_SECRETS": event_generator.SECRET, "DATA_DIR": str(self.folder), **self._environment}
        self.ingest = ManagedProcess(
            "ingest",
            shared
            | {
                "REDIS_URL": self._redis_url(self.ingest_redis),
                "LISTEN_FD": str(number),
                **(self.ingest_disk.environment if self.ingest_disk else {}),
            },
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
    def redis_disk(self) -> DiskShim | None:
        """The primary's disk, if it can have faults."""
        return self._redis_disks.get(self.valkey)

    @property
    def log_paths(self) -> list[Path]:
        """The logs of all processes and servers."""
        return [*self.folder.glob("*.log"), *self.folder.glob("*/*/*.log")]

    def restart_ended(self) -> None:
        """Restart all processes that have ended, as the supervisor would."""
        for program in self.processes:
            program.restart_if_ended()

    def repair(self) -> None:
        """End all faults: start servers and processes, and heal proxies and disks."""
        for proxy in (*self.proxies, self.postgres_link, self.redis_link):
            proxy.heal()
        for disk in (self.redis_disk, self.ingest_disk):
            if disk is not None:
                disk.set()
        self.start_servers()
        self.restart_ended()

    def start_servers(self) -> None:
        """Start the primaries that do not run."""
        for server in (self.postgres, self.valkey):
            if not server.running:
                server.start()

    @property
    def replicas_follow(self) -> bool:
        """True if a failover now would lose at most one MiB of log."""
        return (
            self.postgres_replica is not None
            and self.valkey_replica is not None
            and replication.has_standby(self.postgres)
            and replication.is_following(self.valkey_replica)
        )

    def promote_postgres(self) -> None:
        """Kill the primary for good, promote its standby with the data that it has, and start a new standby."""
        assert self.postgres_replica is not None, "the system is not replicated"
        lost, self.postgres = self.postgres, self.postgres_replica
        lost.kill()
        lost.stop()
        replication.promote(self.postgres)
        socket = self.postgres.socket_folder / postgres.SOCKET_NAME
        self.worker_postgres.connect_to(socket)
        self.postgres_link.connect_to(socket)
        self.postgres_link.heal()
        shutil.rmtree(lost.folder, ignore_errors=True)
        self._add_postgres_replica()

    def promote_redis(self) -> None:
        """Kill the primary for good, promote its replica with the data that it has, and start a new replica."""
        assert self.valkey_replica is not None, "the system is not replicated"
        lost, self.valkey = self.valkey, self.valkey_replica
        lost.kill()
        lost.stop()
        replication.take_over(self.valkey)
        socket = socket_path(self.valkey)
        for proxy in (self.ingest_redis, self.worker_redis, self.redis_link):
            proxy.connect_to(socket)
        self.redis_link.heal()
        shutil.rmtree(lost.folder, ignore_errors=True)
        self._add_valkey_replica()

    def _add_postgres_replica(self) -> None:
        self.postgres_replica = replication.create_standby(
            self.postgres, self._next_folder("postgres"), self._postgres_settings, link_port=self.postgres_link.port
        )
        self.postgres_replica.start()

    def _add_valkey_replica(self) -> None:
        self.valkey_replica = self._new_valkey()
        self.valkey_replica.start()
        replication.follow(self.valkey_replica, self.redis_link.port)

    def _new_valkey(self) -> EmbeddedValkey:
        folder = self._next_folder("redis")
        disk = None if self.ingest_disk is None else self._build_shim(folder)
        server = EmbeddedValkey(
            folder,
            settings=REPLICATED_VALKEY_SETTINGS if self._is_replicated else {},
            environment=disk.environment if disk else {},
        )
        if disk is not None:
            self._redis_disks[server] = disk
        return server

    def _next_folder(self, kind: str) -> Path:
        (self.folder / kind).mkdir(exist_ok=True)
        return self.folder / kind / str(next(self._folder_numbers))

    def _build_shim(self, disk: Path) -> DiskShim:
        home = self.folder / "shims" / str(next(self._folder_numbers))
        home.mkdir(parents=True)
        return DiskShim(home, disk)

    def _stop_servers(self) -> None:
        for server in (self.postgres_replica, self.valkey_replica, self.postgres, self.valkey):
            if server is not None:
                server.stop()

    def wait(self, seconds: float, *, restart: bool = True) -> None:
        """Wait while restarting processes that end."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if restart:
                self.restart_ended()
            time.sleep(min(0.05, left))

    @staticmethod
    def _redis_url(proxy: FaultProxy) -> str:
        return f"redis://127.0.0.1:{proxy.port}/0"
