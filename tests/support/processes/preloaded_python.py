"""Runs `python -m MODULE` in a fork of a process that has imported our packages, which is ten times as fast.

The fork has the environment, the arguments, the files and the exit code of a new process. Nothing else differs, because
our modules do nothing on import.
"""

import atexit
import ctypes
import fcntl
import functools
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, TypeAlias

from dev.checkout import ROOT
from dev.embedded import child_process, launcher
from dev.embedded.managed_process import ManagedProcess

PACKAGES = ("ingest", "worker", "store", "api")
FIRST_FREE = 512
"""The first descriptor number at which files are received, so that none takes the number that another must have."""
READ_AT_START = ("LD_PRELOAD", "PYTHONPATH")


@dataclass(slots=True)
class ForkedProcess:
    """A process with the methods of `subprocess.Popen` that tests call."""

    pid: int
    _status: socket.socket
    """The socket that receives the exit code."""
    returncode: int | None = field(default=None, init=False)

    def poll(self) -> int | None:
        return self._receive_exit_code(0)

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code. Raises subprocess.TimeoutExpired."""
        code = self._receive_exit_code(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _receive_exit_code(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._status], [], [], timeout)[0]:
            self.returncode = int(self._status.recv(16))
            self._status.close()
        return self.returncode


AnyProcess: TypeAlias = "ForkedProcess | subprocess.Popen[bytes]"


def start(
    module: str,
    *arguments: str,
    environment: Mapping[str, str],
    output: int,
    errors: int | None = None,
    pass_fds: Sequence[int] = (),
    cwd: Path = ROOT,
) -> AnyProcess:
    """Start `python -m MODULE ARGUMENTS…` in a session of its own. `output` and `errors` are descriptors.

    A new Python is started if the environment differs in a variable that Python reads at its start.
    """
    errors = output if errors is None else errors
    if any(environment.get(name) not in {None, os.environ.get(name)} for name in READ_AT_START):
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            env=environment,
            pass_fds=pass_fds,
            cwd=cwd,
            start_new_session=True,
        )
    ours, theirs = socket.socketpair()
    request = {
        "module": module,
        "arguments": arguments,
        "environment": dict(environment),
        "cwd": str(cwd),
        "targets": [1, 2, *pass_fds],
    }
    with theirs:
        files = [theirs.fileno(), output, errors, *pass_fds]
        socket.send_fds(_connection(), [json.dumps(request).encode() + b"\n"], files)
    return ForkedProcess(int(ours.recv(16)), ours)


def run(
    module: str,
    *arguments: str,
    environment: Mapping[str, str],
    timeout: float = 60.0,
    cwd: Path = ROOT,
    output_path: Path | None = None,
) -> "subprocess.CompletedProcess[str]":
    """Run a module as `subprocess.run` with captured text, which goes to `output_path` if it is given."""
    with (
        output_path.open("w") if output_path else tempfile.TemporaryFile("w+") as output,
        tempfile.TemporaryFile("w+") as errors,
    ):
        process = start(
            module, *arguments, environment=environment, output=output.fileno(), errors=errors.fileno(), cwd=cwd
        )
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        errors.seek(0)
        if output_path is None:
            output.seek(0)
        said = "" if output_path else output.read()
        return subprocess.CompletedProcess([module, *arguments], code, said, errors.read())


@functools.cache
def _connection() -> socket.socket:
    """Return the connection to the forking process, which ends when the connection is closed."""
    ours, theirs = socket.socketpair()
    with theirs:
        command = [sys.executable, "-m", __name__, str(theirs.fileno())]
        process = child_process.start(
            command, subprocess.DEVNULL, environment=os.environ, pass_fds=[theirs.fileno()], cwd=str(ROOT)
        )

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


class PreloadedProcess(ManagedProcess):
    """A managed process that is a fork."""

    def _start(self, log: IO[bytes], environment: Mapping[str, str]) -> AnyProcess:
        return start(self.module, environment=environment, output=log.fileno(), pass_fds=self._pass_fds)


def import_packages() -> None:
    for name in PACKAGES:
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(package.__path__, f"{name}."):
            if not module.name.endswith(".__main__"):
                importlib.import_module(module.name)


def serve(connection: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """Fork for each request. Return the request and its files in the child, and finally None in the parent."""
    children: dict[int, socket.socket] = {}
    woken, waking = socket.socketpair()
    waking.setblocking(False)  # noqa: FBT003 - its name says it
    signal.signal(signal.SIGCHLD, _ignore)  # so that it is written to the descriptor below
    signal.set_wakeup_fd(waking.fileno())
    while True:
        ready = select.select([connection, woken], [], [])[0]
        if woken in ready:
            woken.recv(4096)
            _report_ended(children)
        if connection not in ready:
            continue
        text, files, _, _ = socket.recv_fds(connection, 1 << 20, 16)
        if not text:
            return None
        while not text.endswith(b"\n"):
            text += connection.recv(1 << 20)
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for one in (connection, woken, waking, *children.values()):
                one.close()
            os.close(files[0])
            return json.loads(text), files[1:]
        children[pid] = socket.socket(fileno=files[0])
        for file in files[1:]:
            os.close(file)
        children[pid].send(str(pid).encode())


def _ignore(number: int, frame: object) -> None:
    """Handle a signal that only has to wake the process."""


def _report_ended(children: dict[int, socket.socket]) -> None:
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        with children.pop(pid) as connection:
            connection.send(str(os.waitstatus_to_exitcode(status)).encode())


def become(request: dict[str, Any], files: list[int]) -> None:
    """Apply the environment of the request, as in a new process."""
    os.setsid()
    ctypes.CDLL(None).prctl(launcher.PR_SET_PDEATHSIG, signal.SIGTERM)
    moved = [fcntl.fcntl(file, fcntl.F_DUPFD, FIRST_FREE) for file in files]
    for file in files:
        os.close(file)
    for file, target in zip(moved, request["targets"], strict=True):
        os.dup2(file, target)
        os.close(file)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["cwd"])
    sys.argv = [request["module"], *request["arguments"]]


def main() -> None:
    import_packages()
    gc.collect()
    gc.freeze()
    found = serve(socket.socket(fileno=int(sys.argv[1])))
    if found is not None:
        become(*found)
        runpy.run_module(found[0]["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
