"""One of our programs, kept running: whatever it ends with, it is started again until it is told to stop."""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dev.checkout import ROOT
from dev.embedded import child_process

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 10.0
STABLE_SECONDS = 30.0
"""Who ran as long as this may fall again without being punished for what was before."""
LOOK = 0.05
LAST_WORDS_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Program:
    """What to run, and where it says whether it is ready."""

    name: str
    module: str
    environment: Mapping[str, str]
    ready_url: str | None = None
    pass_fds: tuple[int, ...] = ()


class Process:
    """Runs in the event loop of the main thread, because a child's death signal follows the thread that starts it."""

    def __init__(self, program: Program, say: Callable[[str, str], None]) -> None:
        """`say(name, line)` takes every line that the program writes, and every word about it."""
        self.program = program
        self._say = say
        self._popen: subprocess.Popen[bytes] | None = None
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        return self._popen.pid if self._popen and self._popen.poll() is None else None

    def start(self) -> None:
        self._task = asyncio.create_task(self._keep())

    async def stop(self, seconds: float, hurry: asyncio.Event) -> None:
        """SIGTERM, and SIGKILL when the seconds are over or `hurry` is set; return when it is gone."""
        self._stopping.set()
        if self._task is None:
            return
        if self._popen and self._popen.poll() is None:
            self._popen.send_signal(signal.SIGTERM)
        rush = asyncio.create_task(hurry.wait())
        await asyncio.wait({self._task, rush}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        rush.cancel()
        if self._popen and self._popen.poll() is None:
            self._say(self.program.name, "did not stop when asked, and is killed")
            self._popen.kill()
        await self._task

    async def _keep(self) -> None:
        pause = FIRST_PAUSE
        while not self._stopping.is_set():
            start = time.monotonic()
            ending = await self._run()
            if self._stopping.is_set():
                return
            if time.monotonic() - start > STABLE_SECONDS:
                pause = FIRST_PAUSE
            self._say(self.program.name, f"{ending}; starting it again in {pause:g} s")
            try:
                await asyncio.wait_for(self._stopping.wait(), pause)
            except TimeoutError:
                pause = min(pause * 2, LONGEST_PAUSE)

    async def _run(self) -> str:
        """Run it once, pass on what it says, and return how it ended."""
        try:
            self._popen = popen = child_process.start(
                [sys.executable, "-m", self.program.module],
                subprocess.PIPE,
                environment=self.program.environment,
                pass_fds=self.program.pass_fds,
                cwd=str(ROOT),
            )
        except OSError as error:  # no process or memory to be had just now
            return f"could not be started ({error.strerror})"
        relay = asyncio.create_task(self._relay(popen))
        while (code := popen.poll()) is None:  # noqa: ASYNC110 - nothing but looking tells it on every system
            await asyncio.sleep(LOOK)
        # A child of the child may hold the pipe open: what is in it by now is all that we wait for.
        await asyncio.wait([relay], timeout=LAST_WORDS_SECONDS)
        relay.cancel()
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"

    async def _relay(self, popen: subprocess.Popen[bytes]) -> None:
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
                    self._pass_on(line)
        finally:
            if rest:
                self._pass_on(rest)
            transport.close()

    def _pass_on(self, line: bytes) -> None:
        self._say(self.program.name, line.decode(errors="replace").rstrip())
