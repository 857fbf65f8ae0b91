"""Keeps one program running: restarts it after any exit code until it is stopped."""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dev.checkout import ROOT
from dev.embedded import child_process

MIN_RESTART_DELAY = 0.1
MAX_RESTART_DELAY = 10.0
BACKOFF_RESET_SECONDS = 30.0
"""The time in seconds after which a program that ends restarts with the shortest delay."""
POLL_SECONDS = 0.05
OUTPUT_GRACE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """A program to run, and the URL of its readiness."""

    name: str
    module: str
    environment: Mapping[str, str]
    ready_url: str | None = None
    pass_fds: tuple[int, ...] = ()


class SupervisedProcess:
    """A process that is restarted when it ends.

    Start it in the main thread: its death signal is sent when that thread ends.
    """

    def __init__(
        self, spec: ProcessSpec, print_notice: Callable[[str, str], None], print_output: Callable[[str, str], None]
    ) -> None:
        """Create a process. `print_output` receives each line of the program, `print_notice` each line about it."""
        self.spec = spec
        self._print_notice = print_notice
        self._print_program_output = print_output
        self._popen: subprocess.Popen[bytes] | None = None
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        return self._popen.pid if self._popen and self._popen.poll() is None else None

    def start(self) -> None:
        self._task = asyncio.create_task(self._restart_until_stopped())

    async def stop(self, seconds: float, kill_now: asyncio.Event) -> None:
        """Send SIGTERM, then SIGKILL after the seconds or when `kill_now` is set. Return when it has ended."""
        self._stopping.set()
        if self._task is None:
            return
        if self._popen and self._popen.poll() is None:
            self._popen.send_signal(signal.SIGTERM)
        killing = asyncio.create_task(kill_now.wait())
        await asyncio.wait({self._task, killing}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        killing.cancel()
        if self._popen and self._popen.poll() is None:
            self._print_notice(self.spec.name, "did not stop in time: killing it")
            self._popen.kill()
        await self._task

    async def _restart_until_stopped(self) -> None:
        pause = MIN_RESTART_DELAY
        while not self._stopping.is_set():
            start = time.monotonic()
            ending = await self._run_once()
            if self._stopping.is_set():
                return
            if time.monotonic() - start > BACKOFF_RESET_SECONDS:
                pause = MIN_RESTART_DELAY
            self._print_notice(self.spec.name, f"{ending}; restarting in {pause:g} s")
            try:
                await asyncio.wait_for(self._stopping.wait(), pause)
            except TimeoutError:
                pause = min(pause * 2, MAX_RESTART_DELAY)

    async def _run_once(self) -> str:
        """Run the program once, pass on its output, and return how it ended."""
        try:
            self._popen = popen = child_process.start(
                [sys.executable, "-m", self.spec.module],
                subprocess.PIPE,
                environment=self.spec.environment,
                pass_fds=self.spec.pass_fds,
                cwd=str(ROOT),
            )
        except OSError as error:  # no process or memory available at the moment
            return f"could not be started ({error.strerror})"
        relay = asyncio.create_task(self._relay_output(popen))
        while (code := popen.poll()) is None:  # noqa: ASYNC110 - polling is the only way that works on every system
            await asyncio.sleep(POLL_SECONDS)
        # A child of the child may hold the pipe open, so only wait for the output so far.
        await asyncio.wait([relay], timeout=OUTPUT_GRACE_SECONDS)
        relay.cancel()
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"

    async def _relay_output(self, popen: subprocess.Popen[bytes]) -> None:
        assert popen.stdout is not None
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), popen.stdout
        )
        rest = b""
        try:
            while more := await reader.read(1 << 16):
                *lines, rest = (rest + more).split(b"\n")
                for line in lines:
                    self._print_output(line)
        finally:
            if rest:
                self._print_output(rest)
            transport.close()

    def _print_output(self, line: bytes) -> None:
        self._print_program_output(self.spec.name, line.decode(errors="replace").rstrip())
