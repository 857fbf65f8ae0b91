"""An embedded PostgreSQL: one home, one server, reached through a socket that only its user can open."""

import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import psycopg
from psycopg import sql

from dev.embedded import binaries, child_process, data_folder, system_user
from dev.errors import StartError

ROLE = "app"
DATABASE = "history"
SOCKET_NAME = ".s.PGSQL.5432"
LOCALES = ("C.UTF-8", "en_US.UTF-8")
"""Character classes must be a UTF-8 locale's: without one pg_trgm drops every letter that is not ASCII, silently."""
START_SECONDS = 120.0
STOP_STEPS = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0))
SERVER_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C"}
EPHEMERAL_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "dynamic_shared_memory_type": "mmap",  # lies in the home and goes with it, also after a kill
}


class EmbeddedPostgres:
    """Starts with a database `history` in it; `start` after `stop` or `kill` goes on with the same data."""

    def __init__(self, folder: Path, *, ephemeral: bool = False, settings: Mapping[str, str] | None = None) -> None:
        """`ephemeral` trades durability for speed; `settings` are added to the server's (`max_connections`, …)."""
        self._account = system_user.for_data_folder(folder.resolve() / "data")
        self.folder = data_folder.prepare(folder, self._account)
        self._data = self.folder / "data"
        self._log = self.folder / "postgres.log"
        self.lock = data_folder.FolderLock(self.folder)
        self._ephemeral = ephemeral
        self._settings = (EPHEMERAL_SETTINGS if ephemeral else {}) | dict(settings or {})
        self._process: subprocess.Popen[bytes] | None = None
        self.socket_folder = data_folder.prepare_socket_folder(self.folder, f"{SOCKET_NAME}.lock", self._account)

    @property
    def url(self) -> str:
        return self.url_of(DATABASE)

    @property
    def pid(self) -> int:
        """The process id of the running server; raises StartError if it does not run."""
        if not self.running or self._process is None:
            raise StartError(f"PostgreSQL on {self.folder} does not run.")
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def url_of(self, database: str) -> str:
        return f"postgresql://{ROLE}@/{quote(database)}?host={quote(str(self.socket_folder), safe='')}"

    def start(self) -> None:
        """Return when the server takes connections and `history` is there; raise StartError if that fails."""
        if self.running:
            raise StartError(f"PostgreSQL on {self.folder} is running.")
        self.lock.acquire()
        try:
            version = self._data / "PG_VERSION"
            major = version.read_text().strip() if version.exists() else None
            programs = binaries.find_postgres(self.folder, self._account, major)
            if major is None:
                self._initdb(programs)
            self._stop_orphan()
            self._start_server(programs)
            self._ensure_database()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        if self._process:
            child_process.stop(self._process, *STOP_STEPS)
            self._process = None
        self.lock.release()

    def kill(self) -> None:
        """End the server as a power cut would, and keep the home: `start` recovers."""
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

    def _initdb(self, binaries: Path) -> None:
        """Make the data folder under another name first, so that a half-made one is never taken for data."""
        fresh = self.folder / "data.new"
        refusal = ""
        for locale in LOCALES:
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir(mode=0o700)
            if self._account:
                self._account.give_ownership(fresh)
            command = [str(binaries / "initdb"), "-D", str(fresh), "-U", ROLE, "-A", "trust", "-E", "UTF8"]
            command += [f"--locale={locale}", "--lc-collate=C", "--lc-messages=C", "--no-instructions"]
            command += ["--no-sync"] if self._ephemeral else []
            process = child_process.start(command, subprocess.PIPE, environment=SERVER_ENVIRONMENT, user=self._account)
            try:
                output, _ = process.communicate()
            except BaseException:  # a signal ended the wait: initdb and the server it tries must not outlive it
                child_process.kill_group(process)
                raise
            if process.returncode == 0:
                fresh.replace(self._data)
                return
            refusal = output.decode(errors="replace").strip()
        raise StartError(f"initdb failed: {refusal}")

    def _stop_orphan(self) -> None:
        """A server on this data, while we hold the lock, was left by a supervisor that was killed."""
        pid_file = self._data / "postmaster.pid"
        if pid_file.exists():
            first = pid_file.read_text().partition("\n")[0].strip()
            if first.isdigit():
                child_process.stop_orphan(int(first), str(self._data), *STOP_STEPS)

    def _start_server(self, binaries: Path) -> None:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.socket_folder),
            "unix_socket_permissions": "0700",
            "timezone": "UTC",
            # Errors of statements quote what was being written; whoever sent the statement hears of it anyway.
            "log_min_messages": "log",
        } | self._settings
        command = [str(binaries / "postgres"), "-D", str(self._data)]
        command += [argument for name, value in settings.items() for argument in ("-c", f"{name}={value}")]
        deadline = time.monotonic() + START_SECONDS
        while (said := self._try_start(command, deadline)) is not None:
            # The backends of a postmaster that was killed take a moment to notice, and no other may start until then.
            if "is still in use" not in said or time.monotonic() > deadline:
                raise StartError(f"PostgreSQL did not start: {said or 'no word of it'}")
            time.sleep(0.1)

    def _try_start(self, command: list[str], deadline: float) -> str | None:
        """Start the server and wait until it is ready; else what it said."""
        with data_folder.open_log(self._log) as log:
            start = log.seek(0, 2)
            process = child_process.start(
                command, log, environment=SERVER_ENVIRONMENT, user=self._account, death_signal=signal.SIGINT
            )
        self._process = process
        ended = child_process.wait_until(
            lambda: process.poll() is not None or self._is_ready(process.pid), deadline - time.monotonic()
        )
        if ended and process.poll() is None:
            return None
        return self._log.read_bytes()[start:].decode(errors="replace").strip()

    def _is_ready(self, pid: int) -> bool:
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > 7 and lines[0].strip() == str(pid) and lines[7].strip() in {"ready", "standby"}

    def _ensure_database(self) -> None:
        with psycopg.connect(self.url_of("postgres"), autocommit=True) as connection:
            if connection.execute("SELECT oid FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                return
            with connection.transaction(force_rollback=True):  # a look, which leaves nothing in this database
                connection.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
                row = connection.execute("SELECT similarity('ТЕСТ', 'тест') = 1").fetchone()  # noqa: RUF001 - Cyrillic is the point
            if row != (True,):
                raise StartError(f"PostgreSQL on {self.folder} does not know letters beyond ASCII: no UTF-8 locale.")
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
