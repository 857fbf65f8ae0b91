"""Runs an embedded PostgreSQL, reached through a socket that only its user can open."""

import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from dev.embedded import binaries, child_process, data_folder, sized_settings, system_user
from dev.embedded.server import START_SECONDS, EmbeddedServer
from dev.errors import StartError
from dev.machine_size import MachineSize

ROLE = "app"
DATABASE = "history"
SOCKET_NAME = ".s.PGSQL.5432"
LOCALES = ("C.UTF-8", "en_US.UTF-8")
"""Character classes must be those of a UTF-8 locale. Otherwise pg_trgm silently drops letters beyond ASCII."""
SERVER_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C"}
EPHEMERAL_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "dynamic_shared_memory_type": "mmap",  # a file in the data folder, which is removed with it even after a kill
}


class EmbeddedPostgres(EmbeddedServer):
    """A server with a database `history`."""

    name = "PostgreSQL"
    stop_steps = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0))
    death_signal = signal.SIGINT
    server_environment = SERVER_ENVIRONMENT

    def __init__(self, folder: Path, *, ephemeral: bool = False, settings: Mapping[str, str] | None = None) -> None:
        """Create a server, which uses its share of the machine's memory; `settings` override ours.

        `ephemeral` trades durability for speed, and keeps PostgreSQL's small caches: tests run several servers, whose
        databases are small, and a large cache makes each start dearer.
        """
        super().__init__(folder, "postgres.log", system_user.for_data_folder(folder.resolve() / "data"))
        self._data = self.folder / "data"
        self._ephemeral = ephemeral
        defaults = EPHEMERAL_SETTINGS if ephemeral else sized_settings.of_postgres(MachineSize.read().memory_bytes)
        self._settings = defaults | dict(settings or {})
        self.socket_folder = data_folder.prepare_socket_folder(self.folder, f"{SOCKET_NAME}.lock", self._account)

    @property
    def url(self) -> str:
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        return f"postgresql://{ROLE}@/{quote(database)}?host={quote(str(self.socket_folder), safe='')}"

    def _start_locked(self) -> None:
        version = self._data / "PG_VERSION"
        major = version.read_text().strip() if version.exists() else None
        programs = binaries.find_postgres(self.folder, self._account, major)
        if major is None:
            self._initdb(programs)
        self._start_server(programs, self._stop_orphan(self._data / "postmaster.pid", str(self._data)))
        self._ensure_database()

    def _initdb(self, binaries: Path) -> None:
        """Create the data folder under another name first, so that an incomplete one is never used."""
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
            except BaseException:  # a signal: initdb and the server that it starts must not outlive us
                child_process.kill_group(process)
                raise
            if process.returncode == 0:
                fresh.replace(self._data)
                return
            refusal = output.decode(errors="replace").strip()
            if "invalid locale name" not in refusal:
                break
        if "No space left on device" in refusal or "Check free disk space" in refusal:
            raise StartError(f"PostgreSQL cannot be created in {self.folder}: No space left on device.")
        raise StartError(f"initdb failed: {refusal}")

    def _start_server(self, binaries: Path, stale_pid: int | None) -> None:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.socket_folder),
            "unix_socket_permissions": "0700",
            "timezone": "UTC",
            # Errors of statements quote the written data. The client receives them in any case.
            "log_min_messages": "log",
        } | self._settings
        command = [str(binaries / "postgres"), "-D", str(self._data)]
        command += [argument for name, value in settings.items() for argument in ("-c", f"{name}={value}")]
        # PostgreSQL takes the process id in its lock file for that of a running server, unless its own grandparent has
        # it. It still refuses to start while backends of the killed server use the shared memory.
        environment = {} if stale_pid is None else {"PG_GRANDPARENT_PID": str(stale_pid)}
        deadline = time.monotonic() + START_SECONDS
        while (output := self._launch(command, self._is_ready, deadline, environment)) is not None:
            # The backends of a killed postmaster take a moment to notice. No other may start until then.
            if "is still in use" not in output or time.monotonic() > deadline:
                raise StartError(f"PostgreSQL did not start: {output or 'its log is empty'}")
            time.sleep(0.1)

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
            with connection.transaction(force_rollback=True):  # leaves nothing in this database
                connection.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
                row = connection.execute("SELECT similarity('ТЕСТ', 'тест') = 1").fetchone()  # noqa: RUF001 - Cyrillic is the point
            if row != (True,):
                raise StartError(
                    f"PostgreSQL on {self.folder} has no UTF-8 locale, so searches would ignore letters beyond ASCII: "
                    f"install {' or '.join(LOCALES)}."
                )
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
