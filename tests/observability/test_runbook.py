"""Runs the commands of the runbook against running processes."""

import os
import re
import subprocess
import sys

import pytest

from dev.checkout import ROOT
from tests.support.processes.observed_system import API_TOKEN, ObservedSystem

RUNBOOK = ROOT / "docs" / "runbook.md"
COMMAND = re.compile(
    r"`((?:\.venv/bin/)?python -m [^`]+|curl [^`]+)`(?! \*\(not run\)\*)|^(\.venv/bin/python .+)$", re.MULTILINE
)
NOT_RUNNABLE = re.compile(r"`(?:redis-cli|psql|SELECT)\b")


def commands() -> list[str]:
    """Return all commands without the mark, once each."""
    matches = COMMAND.findall(RUNBOOK.read_text())
    return sorted({(fenced or span).removeprefix(".venv/bin/") for span, fenced in matches})


@pytest.mark.long
def test_every_command_of_the_runbook_runs(observed_system: ObservedSystem) -> None:
    """An error in a command costs most during an incident."""
    environment = {
        **observed_system.programs["worker"].environment,
        "PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}",  # noqa: PTH120 - of the venv, not of its Python
    }
    addresses = {
        ":3000": observed_system.urls["ingest"].rpartition("127.0.0.1")[2],
        ":3001": observed_system.urls["api"].rpartition("127.0.0.1")[2],
    }
    ran: dict[str, tuple[int, str]] = {}
    for command in commands():
        line = command.replace("$(cat var/api-token)", API_TOKEN)
        for port, address in addresses.items():
            line = line.replace(port, address)
        done = subprocess.run(
            ["/bin/sh", "-c", line], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60
        )
        ran[command] = (done.returncode, done.stdout + done.stderr)

    assert len(ran) >= 8
    # The doctor exits with 2, because the servers of the tests do not sync their disks.
    failed = {name: output for name, (code, output) in ran.items() if code > (2 if "doctor" in name else 0)}
    assert failed == {}
    assert not any("Traceback" in output or "usage:" in output for _, output in ran.values())


def test_a_command_that_no_test_runs_is_marked() -> None:
    """Without the mark, readers would assume that the command is tested."""
    paragraphs = re.split(r"\n(?=\*\*|\n)", RUNBOOK.read_text())

    assert [each for each in paragraphs if NOT_RUNNABLE.search(each) and "*(not run)*" not in each] == []


def test_every_finding_named_in_the_runbook_is_one_of_the_doctor() -> None:
    """A reader searches the doctor's output for the name."""
    code = "".join(path.read_text() for room in ("store/doctor", "worker") for path in (ROOT / room).rglob("*.py"))
    named = set(re.findall(r"[(, ]((?:worker|postgresql|disk|spool|queue)\.[a-z_]+)", RUNBOOK.read_text()))

    assert len(named) > 5
    assert [name for name in sorted(named) if f'"{name}"' not in code] == []
