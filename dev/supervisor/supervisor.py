"""Starts the servers and then the processes, keeps them running, and stops them in order."""

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Never

from dev.embedded import data_folder
from dev.embedded.postgres import EmbeddedPostgres
from dev.embedded.server import EmbeddedServer
from dev.embedded.valkey import EmbeddedValkey
from dev.errors import StartError
from dev.supervisor import listeners, plan, readiness, secret_files
from dev.supervisor.console import Console
from dev.supervisor.plan import ProcessPlan, ServiceUrls
from dev.supervisor.process import SupervisedProcess
from dev.supervisor.settings import SupervisorSettings
from store.postgres import errors, migrator

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STOP_SECONDS = 15.0
READINESS_POLL_SECONDS = 0.05
SLOW_START_SECONDS = 10.0
"""The time in seconds after which a slow start prints the processes that it waits for."""
SERVER_POLL_SECONDS = 0.2
SERVER_RETRY_SECONDS = 2.0


class StartInterruptedError(Exception):
    """A signal interrupted the start."""


def run(settings: SupervisorSettings, environ: Mapping[str, str], console: Console, *, demo: bool) -> None:
    """Return when a signal has stopped everything. Raises StartError or StartInterruptedError if the start failed."""
    with contextlib.ExitStack() as stack:
        for number in STOP_SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN or number != signal.SIGHUP:  # nohup was used on purpose
                signal.signal(number, _interrupt_start)
        lock = _lock_data_dir(settings.data_dir)
        stack.callback(lock.release)
        ingest = stack.enter_context(listeners.open_listener(settings.host, settings.ingest_port, "INGEST_PORT"))
        api = stack.enter_context(listeners.open_listener(settings.host, settings.api_port, "API_PORT"))
        gateway = listeners.free_port("127.0.0.1", settings.gateway_port, "GATEWAY_PORT") if demo else 0
        stack.callback(_ignore_signals)  # runs first at the end: the rest must not be interrupted
        servers: dict[str, EmbeddedServer] = {}
        if not settings.redis_url:
            servers["valkey"] = EmbeddedValkey(settings.data_dir / "valkey")
        if not settings.database_url:
            servers["postgres"] = EmbeddedPostgres(settings.data_dir / "postgres")
        for name, server in servers.items():
            console.notice(name, f"starting in {settings.data_dir / name}")
            stack.callback(server.stop)
            server.start()
        addresses = ServiceUrls(
            ingest=listeners.browser_url(settings.host, listeners.port_of(ingest)),
            api=listeners.browser_url(settings.host, listeners.port_of(api)),
            gateway=listeners.browser_url("127.0.0.1", gateway),
            database=settings.database_url or servers["postgres"].url,
            redis=settings.redis_url or servers["valkey"].url,
        )
        for name, url in (("database-url", addresses.database), ("redis-url", addresses.redis)):
            stack.callback((settings.data_dir / name).unlink, missing_ok=True)
            secret_files.write_private(settings.data_dir / name, url)
        _migrate((settings.database_url and environ.get("DIRECT_DATABASE_URL")) or addresses.database, console)
        made = plan.build(settings, environ, addresses, ingest, api, demo=demo)
        asyncio.run(_supervise(made, servers, (ingest, api), console))


def _lock_data_dir(folder: Path) -> data_folder.FolderLock:
    """Create and lock the folder. If this process is root, other users may enter it: PostgreSQL runs as one of them."""
    lock = data_folder.FolderLock(folder)
    try:
        folder.mkdir(mode=0o700 if os.geteuid() else 0o711, parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        raise StartError(f"DATA_DIR {folder} cannot be used: {error.strerror}.") from error
    return lock


def _interrupt_start(_number: int, _frame: FrameType | None) -> Never:
    _ignore_signals()
    raise StartInterruptedError


def _ignore_signals() -> None:
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _migrate(url: str, console: Console) -> None:
    try:
        for name in migrator.migrate(url):
            console.output("store", f"migrated {name}")
    except (errors.TransientError, errors.PermanentError, migrator.UnknownMigrationError) as error:
        raise StartError(f"The database could not be migrated: {error}") from error


async def _supervise(
    plan: ProcessPlan,
    servers: Mapping[str, EmbeddedServer],
    listeners: tuple[socket.socket, socket.socket],
    console: Console,
) -> None:
    """Run until a signal. A second signal kills the processes."""
    stop, kill_now = asyncio.Event(), asyncio.Event()

    def on_signal() -> None:
        if stop.is_set():
            kill_now.set()
        stop.set()

    for number in STOP_SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            asyncio.get_running_loop().add_signal_handler(number, on_signal)
    processes = [SupervisedProcess(program, console.notice, console.output) for program in plan.programs]
    demo = SupervisedProcess(plan.demo, console.notice, console.output) if plan.demo else None
    try:
        for process in processes:
            process.start()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_restart_server(name, server, console)) for name, server in servers.items()]
            tasks.append(group.create_task(_announce_ready(plan, demo, console)))
            await stop.wait()
            for task in tasks:
                task.cancel()
        console.notice("dev", "stopping")
    finally:
        for listener in listeners:  # so that no client waits for a response
            listener.close()
        for process in ([demo] if demo else []) + processes:
            await process.stop(STOP_SECONDS, kill_now)


async def _restart_server(name: str, server: EmbeddedServer, console: Console) -> None:
    while True:
        await asyncio.sleep(SERVER_POLL_SECONDS)
        if server.running:
            continue
        console.notice(name, "exited; restarting")
        try:
            server.start()
        except StartError as error:
            console.notice(name, str(error))
            await asyncio.sleep(SERVER_RETRY_SECONDS)
        else:
            console.notice(name, "restarted")


async def _announce_ready(plan: ProcessPlan, demo: SupervisedProcess | None, console: Console) -> None:
    """Wait until every process is ready, and print the URLs."""
    waiting: dict[str, str] = {program.name: program.ready_url for program in plan.programs if program.ready_url}
    report_at = time.monotonic() + SLOW_START_SECONDS
    while waiting:
        answers = await asyncio.gather(*map(readiness.check, waiting.values()))
        unready = {name: answer for name, answer in zip(waiting, answers, strict=True) if not answer.ready}
        waiting = {name: waiting[name] for name in unready}
        if unready and time.monotonic() > report_at:
            report_at = time.monotonic() + SLOW_START_SECONDS
            for name, answer in unready.items():
                console.notice("dev", f"waiting for {name}: {'; '.join(answer.reasons)}")
        await asyncio.sleep(READINESS_POLL_SECONDS if unready else 0)
    if demo:
        demo.start()
    console.ready(plan.webhook_url, plan.api_url, plan.dashboard_url)
