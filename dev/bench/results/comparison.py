"""Runs the benchmark of this checkout and of another revision alternately, and finds what became slower.

Each revision is measured by its own benchmark, with the servers that its own `./run` would start.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from dev.bench.errors import WrongResultError
from dev.bench.results.results import Limit, ResultRow, ResultTable, Samples
from dev.checkout import ROOT
from dev.errors import StartError

TOLERANCE = 1.1
STEADY_UNITS = frozenset({"µs", "bytes", "MiB"})
"""The units of figures that other work on the machine hardly changes: processor time and memory."""
LOCK = "requirements-bench.lock"

FigureKey: TypeAlias = tuple[str, str]
"""The name of a figure, and its unit."""


@dataclass(frozen=True, slots=True)
class Side:
    """A checkout and the Python that runs it."""

    name: str
    folder: Path
    python: Path

    def measure(self, arguments: Sequence[str], data_dir: Path) -> dict[FigureKey, float]:
        """Run the benchmark once and return its figures. Raises WrongResultError."""
        command = [str(self.python), "-m", "dev.bench", *arguments, "--rounds", "1", "--json"]
        environment = {**os.environ, "DATA_DIR": str(data_dir)}
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise WrongResultError(f"The benchmark of {self.name} failed: {done.stderr.strip()[-2000:]}")
        return figures(json.loads(done.stdout))


def run(base: str, arguments: Sequence[str], rounds: int, data_dir: Path) -> ResultTable:
    """Measure both in alternating rounds. Raises StartError and WrongResultError."""
    found: dict[str, list[dict[FigureKey, float]]] = {"base": [], "ours": []}
    with _checkout(base) as folder:
        sides = [Side("base", folder, _python_for(folder)), Side("ours", ROOT, Path(sys.executable))]
        for turn in range(rounds):
            for side in sides if turn % 2 == 0 else sides[::-1]:
                print(f"round {turn + 1} of {rounds}: {base if side.name == 'base' else 'this checkout'}", flush=True)
                found[side.name].append(side.measure(arguments, data_dir))
    return compare(base, found["base"], found["ours"])


def compare(
    base: str, before: Sequence[Mapping[FigureKey, float]], after: Sequence[Mapping[FigureKey, float]]
) -> ResultTable:
    """Return a table of the figures that both have. What became slower misses its target."""
    common = [key for key in after[0] if all(key in run for run in (*before, *after))]
    rows = [_row(key, base, *(Samples(tuple(run[key] for run in runs)) for runs in (before, after))) for key in common]
    slower = [row.name for row in rows if row.is_target_met is False]
    omitted = len({key for run in (*before, *after) for key in run}) - len(common)
    notes = [f"Slower by more than {TOLERANCE - 1:.0%}: {'; '.join(slower) or 'nothing'}."]
    if omitted:
        notes.append(f"Left out, because only one of the two measures them: {omitted} figures.")
    return ResultTable(f"this checkout against {base}, {len(after)} alternating rounds", tuple(rows), tuple(notes))


def figures(document: Mapping[str, Any]) -> dict[FigureKey, float]:
    """Return the figures in the document of `./run bench --json`.

    The name of an indented row continues that of the last row that is not indented.
    """
    found: dict[FigureKey, float] = {}
    for part, measured in document.items():
        for table in measured["tables"] if part != "machine" else ():
            parent = ""
            for row in table["rows"]:
                is_indented = row["name"].startswith(" ")
                name = f"{parent}, {row['name'].strip()}" if is_indented else row["name"]
                parent = parent if is_indented else name
                found.setdefault((f"{part}: {table['title']}: {name}", row["unit"]), row["ours"]["median"])
    return found


def _row(key: FigureKey, base: str, before: Samples, after: Samples) -> ResultRow:
    """Return the row, with a target if the figure can fail the comparison.

    Rates and wall-clock times depend on other work on the machine. They count only if every round of this checkout was
    worse, or every one better, than every round of the base.
    """
    name, unit = key
    decides = unit in STEADY_UNITS or before.maximum < after.minimum or after.maximum < before.minimum
    target = Limit("at least", 1 / TOLERANCE) if unit == "/s" else Limit("at most", TOLERANCE)
    return ResultRow(name, unit, after, base, before, target if decides else None)


@contextmanager
def _checkout(base: str) -> Generator[Path]:
    """Provide the files of the revision in a temporary worktree."""
    with tempfile.TemporaryDirectory(prefix="bench-base-") as parent:
        folder = Path(parent) / "base"
        _git("worktree", "add", "--quiet", "--detach", str(folder), base)
        try:
            yield folder
        finally:
            _git("worktree", "remove", "--force", str(folder))


def _python_for(folder: Path) -> Path:
    """Return this Python if the revision has the same lock file, otherwise that of an environment of its own."""
    if (folder / LOCK).read_bytes() == (ROOT / LOCK).read_bytes():
        return Path(sys.executable)
    installation = [sys.executable, "dev/install.py", LOCK, "comparison"]
    if subprocess.run(installation, cwd=folder, check=False).returncode:
        raise StartError(f"The packages of the base could not be installed from its {LOCK}.")
    return folder / ".venv" / "bin" / "python"


def _git(*arguments: str) -> None:
    command = ["git", *arguments]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise StartError("git is not installed, which the comparison needs.") from error
    if done.returncode:
        raise StartError(f"{' '.join(command)} failed: {done.stderr.strip()}")
