"""Starts programs, each in its own session of the operating system. None outlives this process.

The death signal depends on the thread that starts a child, so children are started only from the main thread.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from dev.embedded.system_user import SystemUser

POLL_SECONDS = 0.005


def start(  # noqa: PLR0913 - the environment of a program
    command: Sequence[str],
    output: IO[bytes] | int,
    *,
    environment: Mapping[str, str],
    user: SystemUser | None = None,
    death_signal: signal.Signals = signal.SIGTERM,
    pass_fds: Sequence[int] = (),
    cwd: str = "/",
    umask: int = -1,
) -> subprocess.Popen[bytes]:
    """Start a program whose output and errors go to `output`. `command[0]` must be its full path.

    Its own session keeps Ctrl-C away from it, because its parent stops the children in order. `umask` -1 keeps that of
    this process.
    """
    uid, gid = (user.uid, user.gid) if user else (-1, -1)
    launch = [sys.executable, "-I", "-S", str(Path(__file__).with_name("launcher.py"))]
    return subprocess.Popen(
        [*launch, str(os.getpid()), str(int(death_signal)), str(uid), str(gid), *command],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        cwd=cwd,
        env=dict(environment),
        pass_fds=pass_fds,
        start_new_session=True,
        umask=umask,
    )


def stop(process: subprocess.Popen[bytes], *steps: tuple[signal.Signals, float]) -> None:
    """Send the signals one after another until the child has ended, and wait for at most the given seconds after each.

    SIGKILL is the last step.
    """
    for signal_number, seconds in steps:
        if process.poll() is not None:
            return
        process.send_signal(signal_number)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue
        return
    process.kill()
    process.wait()


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a child and everything that it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def command_line(pid: int) -> str:
    """Return the command line of a running process, or empty if there is none."""
    if Path("/proc/self/cmdline").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    ps = ["/bin/ps", "-o", "command=", "-p", str(pid)]
    return subprocess.run(ps, capture_output=True, text=True, check=False).stdout


def stop_orphan(pid: int, marker: str, *steps: tuple[signal.Signals, float]) -> None:
    """End a process left by an earlier run if the command line of `pid` still contains the marker."""
    for signal_number, seconds in (*steps, (signal.SIGKILL, 10.0)):
        if marker not in command_line(pid):
            return
        os.kill(pid, signal_number)
        if wait_until(lambda: marker not in command_line(pid), seconds):
            return


def wait_until(condition: Callable[[], bool], timeout_seconds: float) -> bool:
    """Poll until the condition is true. Return False if it is still false after `timeout_seconds`."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True
