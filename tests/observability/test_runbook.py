"""The runbook's commands, run as they stand there, against processes that run."""

import os
import re
import subprocess
import sys

from dev.checkout import ROOT
from tests.support.observed_system import API_TOKEN, ObservedSystem

RUNBOOK = ROOT / "docs" / "runbook.md"
COMMAND = re.compile(
    r"`((?:\.venv/bin/)?python -m [^`]+|curl [^`]+)`(?! \*\(not run\)\*)|^(\.venv/bin/python .+)$", re.MULTILINE
)
NEITHER = re.compile(r"`(?:redis-cli|psql|SELECT)\b")


def commands() -> list[str]:
    """All that are not marked, once each."""
    found = {fenced or span for span, fenced in COMMAND.findall(RUNBOOK.read_text())}
    return sorted({(command or "").removeprefix(".venv/bin/") for command in found})


def test_every_command_of_the_runbook_runs(observed_system: ObservedSystem) -> None:
    """At night nobody corrects a typing error in a manual."""
    environment = {
        **observed_system.programs["worker"].environment,
        "PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}",  # noqa: PTH120 - of the venv, not of its Python
    }
    places = {
        ":3000": observed_system.urls["ingest"].rpartition("127.0.0.1")[2],
        ":3001": observed_system.urls["api"].rpartition("127.0.0.1")[2],
    }
    ran: dict[str, tuple[int, str]] = {}
    for command in commands():
        line = command.replace("$(cat var/api-token)", API_TOKEN)
        for port, place in places.items():
            line = line.replace(port, place)
        done = subprocess.run(
            ["/bin/sh", "-c", line], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60
        )
        ran[command] = (done.returncode, done.stdout + done.stderr)

    assert len(ran) >= 8
    # The doctor finds that the tests' servers do not wait for their disks, and says so by its code.
    wrong = {name: said for name, (code, said) in ran.items() if code > (2 if "doctor" in name else 0)}
    assert wrong == {}
    assert not any("Traceback" in said or "usage:" in said for _, said in ran.values())


def test_what_cannot_be_run_here_is_marked() -> None:
    """Or somebody takes for tried what never was."""
    paragraphs = re.split(r"\n(?=\*\*|\n)", RUNBOOK.read_text())

    assert [each for each in paragraphs if NEITHER.search(each) and "*(not run)*" not in each] == []
