"""Starts the servers, then our processes, keeps all of them running, and stops them in order."""

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Never, Protocol

from dev.embedded import data_folder
from dev.embedded.postgres import Postgres
from dev.embedded.valkey import Valkey
from dev.errors import StartError
from dev.supervisor import listeners, plan, readiness, secret_files
from dev.supervisor.plan import Addresses, Plan
from dev.supervisor.process import Process
from dev.supervisor.settings import Settings
from store.postgres import errors, migrator

Say = Callable[[str, str], None]
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STOP_SECONDS = 15.0
PROBE_PAUSE = 0.05
PATIENCE_SECONDS = 10.0
"""How long a start may be silent before it says what it waits for."""
LOOK_SECONDS = 0.2
RETRY_SECONDS = 2.0


class StoppedError(Exception):
    """A signal ended the start before it was done."""


class Server(Protocol):
    """An embedded server, as far as it is watched."""

    @property
    def url(self) -> str: ...
    @property
    def running(self) -> bool: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...


def run(settings: Settings, environ: Mapping[str, str], say: Say, *, demo: bool) -> None:
    """Return when everything has stopped, as a signal asked; raise StartError or StoppedError if it never began."""
    with contextlib.ExitStack() as stack:
        for number in SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN or number != signal.SIGHUP:  # nohup means it
                signal.signal(number, _stop_start)
        lock = _data_dir(settings.data_dir)
        stack.callback(lock.release)
        ingest = stack.enter_context(listeners.on(settings.host, settings.ingest_port, "INGEST_PORT"))
        api = stack.enter_context(listeners.on(settings.host, settings.api_port, "API_PORT"))
        gateway = listeners.free_port("127.0.0.1", settings.gateway_port, "GATEWAY_PORT") if demo else 0
        stack.callback(_ignore_signals)  # the first thing that the end does: what comes below must not be cut short
        servers: dict[str, Server] = {}
        if not settings.redis_url:
            servers["valkey"] = Valkey(settings.data_dir / "valkey")
        if not settings.database_url:
            servers["postgres"] = Postgres(settings.data_dir / "postgres")
        for name, server in servers.items():
            say(name, f"starting in {settings.data_dir / name}")
            stack.callback(server.stop)
            server.start()
        addresses = Addresses(
            ingest=listeners.as_url(settings.host, listeners.port_of(ingest)),
            api=listeners.as_url(settings.host, listeners.port_of(api)),
            gateway=listeners.as_url("127.0.0.1", gateway),
            database=settings.database_url or servers["postgres"].url,
            redis=settings.redis_url or servers["valkey"].url,
        )
        for name, url in (("database-url", addresses.database), ("redis-url", addresses.redis)):
            stack.callback((settings.data_dir / name).unlink, missing_ok=True)
            secret_files.note(settings.data_dir / name, url)
        _migrate((settings.database_url and environ.get("DIRECT_DATABASE_URL")) or addresses.database, say)
        made = plan.make(settings, environ, addresses, ingest, api, demo=demo)
        asyncio.run(_keep(made, servers, (ingest, api), say))


def _data_dir(folder: Path) -> data_folder.Lock:
    """Make the folder, and take it; as root others may pass through, because PostgreSQL is another user there."""
    lock = data_folder.Lock(folder)
    try:
        folder.mkdir(mode=0o700 if os.geteuid() else 0o711, parents=True, exist_ok=True)
        lock.take()
    except OSError as error:
        raise StartError(f"DATA_DIR {folder} cannot be used: {error.strerror}.") from error
    return lock


def _stop_start(_number: int, _frame: FrameType | None) -> Never:
    _ignore_signals()
    raise StoppedError


def _ignore_signals() -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _migrate(url: str, say: Say) -> None:
    try:
        for name in migrator.migrate(url):
            say("store", f"migrated {name}")
    except (errors.TransientError, errors.PermanentError, migrator.UnknownMigrationError) as error:
        raise StartError(f"The database could not be migrated: {error}") from error


async def _keep(
    made: Plan, servers: Mapping[str, Server], sockets: tuple[socket.socket, socket.socket], say: Say
) -> None:
    """Run until a signal comes; a second one means that waiting for a tidy end takes too long."""
    stop, hurry = asyncio.Event(), asyncio.Event()

    def on_signal() -> None:
        if stop.is_set():
            hurry.set()
        stop.set()

    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            asyncio.get_running_loop().add_signal_handler(number, on_signal)
    processes = [Process(program, say) for program in made.programs]
    demo = Process(made.demo, say) if made.demo else None
    try:
        for process in processes:
            process.start()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_watch(name, server, say)) for name, server in servers.items()]
            tasks.append(group.create_task(_announce(made, demo, say)))
            await stop.wait()
            for task in tasks:
                task.cancel()
        say("dev", "stopping")
    finally:
        for listener in sockets:  # nobody shall wait for an answer that will not come
            listener.close()
        for process in ([demo] if demo else []) + processes:
            await process.stop(STOP_SECONDS, hurry)


async def _watch(name: str, server: Server, say: Say) -> None:
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        if server.running:
            continue
        say(name, "has ended; starting it again")
        try:
            server.start()
        except StartError as error:
            say(name, str(error))
            await asyncio.sleep(RETRY_SECONDS)
        else:
            say(name, "is back")


async def _announce(made: Plan, demo: Process | None, say: Say) -> None:
    """Wait until every process has said that it is ready, and print where everything is."""
    waiting: dict[str, str] = {program.name: program.ready_url for program in made.programs if program.ready_url}
    patience = time.monotonic() + PATIENCE_SECONDS
    while waiting:
        answers = await asyncio.gather(*map(readiness.ask, waiting.values()))
        unready = {name: answer for name, answer in zip(waiting, answers, strict=True) if not answer.ready}
        waiting = {name: waiting[name] for name in unready}
        if unready and time.monotonic() > patience:
            patience = time.monotonic() + PATIENCE_SECONDS
            for name, answer in unready.items():
                say("dev", f"waiting for {name}: {'; '.join(answer.reasons)}")
        await asyncio.sleep(PROBE_PAUSE if unready else 0)
    if demo:
        demo.start()
    say("dev", f"ready: webhooks to {made.webhook}, api at {made.api_url}, dashboard at {made.dashboard}")
