"""Runs the ledger command as an operator would."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from dev.checkout import ROOT

TIMEOUT_SECONDS = 30
"""The time in seconds within which a system at rest must have an exact ledger."""


def read(database_url: str, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Run `python -m store ledger --json` with more arguments. Return its exit code and its output."""
    done = subprocess.run(
        [sys.executable, "-m", "store", "ledger", "--json", *arguments],
        env=dict(os.environ) | {"DATABASE_URL": database_url},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, json.loads(done.stdout) if done.stdout else {}


def has_nothing_waiting(database_url: str) -> bool:
    """Return whether every received event is accounted for."""
    _, document = read(database_url)
    return document.get("waiting") == 0


def wait_until_exact(database_url: str, wait: Callable[[float], None]) -> str:
    """Return an empty text once the ledger is exact and nothing waits, or the problem after a time limit."""
    code, document = read(database_url)
    for _ in range(TIMEOUT_SECONDS):
        if code == 0 and document.get("waiting") == 0:
            return ""
        wait(1.0)
        code, document = read(database_url)
    return f"exit {code}: {json.dumps(document)}"
