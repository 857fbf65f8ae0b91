"""Tests the output of `./run`, on a terminal and elsewhere."""

import os
import pty
import re
import stat
import subprocess
import sys
from pathlib import Path

from dev.checkout import ROOT

LINK = "http://127.0.0.1:3001/#token=0123456789abcdef"
SCRIPT = f"""
import fcntl, struct, sys, termios
from pathlib import Path
from dev.supervisor.console import Console
if sys.stdout.isatty():
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, int(sys.argv[2]), 0, 0))
console = Console(Path(sys.argv[1]))
console.output("worker", "stored 5 events")
console.notice("valkey", "starting")
console.ready("http://127.0.0.1:3000/whatsapp-webhook", "http://127.0.0.1:3001", "{LINK}")
console.close()
"""


def on_terminal(log: Path, columns: int, **environ: str) -> list[str]:
    master, terminal = pty.openpty()
    command = [sys.executable, "-c", SCRIPT, str(log), str(columns)]
    subprocess.run(command, stdout=terminal, cwd=ROOT, env={**os.environ, "COLUMNS": "", **environ}, check=True)
    os.close(terminal)
    with os.fdopen(master, "rb") as screen:
        return screen.read1(1 << 16).decode().splitlines()


def test_on_a_terminal_the_link_is_in_a_box_and_programs_write_to_a_file(tmp_path: Path) -> None:
    """Otherwise, their output would scroll the link out of view."""
    log = tmp_path / "demo.log"
    coloured, plain = on_terminal(log, 300, NO_COLOR=""), on_terminal(log, 300, NO_COLOR="1")

    assert plain[0] == "valkey   | starting"
    assert (plain[1][0], plain[1][-1], plain[-1][0], plain[-1][-1]) == ("┌", "┐", "└", "┘")
    assert {len(line) for line in plain[1:]} == {len(plain[1])}
    assert LINK in plain[3]
    assert str(log) in plain[-2]
    assert [re.sub("\033\\[[0-9;]*m", "", line) for line in coloured] == plain
    assert coloured[3].startswith("\033[")
    assert log.read_text() == "worker   | stored 5 events\n"
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_a_link_that_does_not_fit_is_not_broken_by_the_box(tmp_path: Path) -> None:
    lines = on_terminal(tmp_path / "demo.log", 40, NO_COLOR="1")

    assert "─" * 40 in lines[1]
    assert lines[3] == f"dashboard   {LINK}"


def test_programs_that_read_the_output_find_the_line_and_no_colours(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "demo.log")]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    webhooks, api = "http://127.0.0.1:3000/whatsapp-webhook", "http://127.0.0.1:3001"
    assert printed.splitlines()[1:] == [f"dev      | ready: webhooks to {webhooks}, api at {api}, dashboard at {LINK}"]
