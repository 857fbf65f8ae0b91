"""Tests and times a new user's first steps: clone, `./run`, first webhook, first chat, with the README's commands."""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dev.checkout import ROOT
from dev.embedded import child_process
from tests.support.processes.deployed_system import is_free
from tests.support.project import documentation
from tests.support.servers.container_image import PASSED_VARIABLES

READY = re.compile(r"ready: webhooks to (\S+), api at (\S+),")


def clone(folder: Path) -> None:
    """Clone the repository with git, or copy its files if this project has no history here."""
    command = ["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(folder)]
    if shutil.which("git") and subprocess.run(command, capture_output=True, check=False).returncode == 0:
        return
    shutil.rmtree(folder, ignore_errors=True)
    left_out = (".git", ".venv", ".env", "var", "__pycache__", ".*_cache", ".hypothesis")
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*left_out))


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_newcomer_reads_a_chat(server_folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The test uses only Python, the shell and the package index of this machine. Times are printed, not asserted."""
    two_commands, five_minutes = (block.lines for block in documentation.command_blocks("README.md")[:2])
    start = next(line for line in two_commands.splitlines() if line.startswith("./run"))
    free = [port for port in random.sample(range(29000, 30000), 100) if is_free(port)][:2]
    environment = {k: v for k, v in os.environ.items() if PASSED_VARIABLES.match(k)}
    environment |= {"PATH": f"{sys.base_prefix}/bin:/usr/bin:/bin", "HOME": str(server_folder)}
    environment |= {"INGEST_PORT": str(free[0]), "API_PORT": str(free[1])}
    times: dict[str, float] = {}
    begun = time.monotonic()

    clone(server_folder / "checkout")
    times["cloned"] = time.monotonic() - begun
    log = server_folder / "run.log"
    with log.open("wb") as output:
        command = ["/bin/sh", "-c", f"exec {start}"]
        run = child_process.start(command, output, environment=environment, cwd=str(server_folder / "checkout"))
    try:
        child_process.wait_until(lambda: "ready: " in log.read_text() or run.poll() is not None, 400)
        ready = READY.search(log.read_text())
        assert ready, log.read_text()
        times["ready"] = time.monotonic() - begun
        lines = five_minutes.replace("http://localhost:3000/whatsapp-webhook", ready[1])
        lines = lines.replace("http://localhost:3001", ready[2])
        marked = "\n".join(f"{line}\necho; echo @ $EPOCHREALTIME" for line in lines.splitlines())
        pasted, at = time.monotonic() - begun, time.time()
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", marked],
            cwd=server_folder / "checkout",
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        run.send_signal(signal.SIGTERM)
        code = run.wait(60)
    marks = [pasted + float(mark) - at for mark in re.findall(r"^@ (\S+)$", done.stdout, re.MULTILINE)]
    commands = lines.splitlines()
    for name, part in (("first webhook", "whatsapp-webhook"), ("first chat read", "/api/chats ")):
        times[name] = marks[next(number for number, line in enumerate(commands) if part in f"{line} ")]
    with capfd.disabled():
        told = ", ".join(f"{name} after {seconds:.1f} s" for name, seconds in times.items())
        print(f"\nA newcomer's path: {told}", file=sys.stderr)

    assert done.returncode == 0, done.stdout + done.stderr
    assert '"accepted":true' in done.stdout
    assert "Hi, do you have this in stock?" in done.stdout
    assert done.stdout.rpartition("@")[0].rstrip().endswith("exact")
    assert code == 0
