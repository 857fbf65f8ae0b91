"""Tests that a comparison of two revisions finds what became slower, and nothing else."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dev.bench.results import comparison, report
from dev.bench.results.results import Limit, ResultRow, ResultTable, Samples
from dev.checkout import ROOT
from tests.support.project.repository import FOLDERS

LOOP = """
import time
from dev.bench.results.results import ResultRow, ResultTable, Samples

def run(servers, scale):
    begun = time.process_time()
    for _ in range({length}):
        pass
    spent = 1e6 * (time.process_time() - begun)
    return [ResultTable("a loop", (ResultRow("processor time", "µs", Samples.of(spent)),))]
"""


def verdicts(unit: str, before: list[float], after: list[float]) -> bool | None:
    key = ("drain: a backlog: one worker", unit)
    table = comparison.compare("base", [{key: value} for value in before], [{key: value} for value in after])
    return table.rows[0].is_target_met


@pytest.mark.parametrize(
    ("unit", "before", "after", "verdict"),
    [
        ("µs", [50, 52, 51], [52, 60, 57], False),
        ("µs", [50, 52, 51], [52, 54, 56], True),
        ("bytes", [1600], [1300], True),
        # The machine was busy in some of the rounds, so the clock tells nothing.
        ("/s", [8000, 9000, 5000], [6000, 5500, 6100], None),
        ("ms", [3, 4, 9], [5, 6, 7], None),
        # All rounds agree.
        ("/s", [8000, 9000, 8500], [6000, 5500, 6100], False),
        ("/s", [8000, 9000, 8500], [7700, 7900, 7800], True),
        ("ms", [3, 3.5, 4], [5, 6, 7], False),
        ("ms", [5, 6, 7], [3, 3.5, 4], True),
    ],
)
def test_what_became_slower_is_found(
    unit: str, before: list[float], after: list[float], *, verdict: bool | None
) -> None:
    assert verdicts(unit, before, after) is verdict


def test_figures_that_only_one_of_the_two_has_are_left_out() -> None:
    """A new figure is not slower than none."""
    table = comparison.compare("base", [{("a", "µs"): 1.0, ("b", "/s"): 2.0}], [{("a", "µs"): 1.0, ("c", "/s"): 3.0}])

    assert [row.name for row in table.rows] == ["a"]
    assert any("2 figures" in note for note in table.notes)


def test_rows_that_continue_another_are_told_apart() -> None:
    """The table of the API has a row `p99` for each call."""
    rows = tuple(
        ResultRow(name, "ms", Samples.of(value), target=Limit("at most", 1))
        for name, value in (("chats", 1.0), ("  p99", 2.0), ("messages", 3.0), ("  p99", 4.0))
    )
    document = {"machine": {}, "api": {"tables": [report.table_to_json(ResultTable("calls", rows))]}}

    assert comparison.figures(document) == {
        ("api: calls: chats", "ms"): 1.0,
        ("api: calls: chats, p99", "ms"): 2.0,
        ("api: calls: messages", "ms"): 3.0,
        ("api: calls: messages, p99", "ms"): 4.0,
    }


def git(repository: Path, *arguments: str) -> None:
    author = ["-c", "user.name=Asha", "-c", "user.email=asha@shop.example"]
    subprocess.run(["git", *author, *arguments], cwd=repository, capture_output=True, check=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a copy of this checkout whose last commit makes a part take four times the processor time."""
    copy = tmp_path / "repository"
    copy.mkdir()
    for name in FOLDERS:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / comparison.LOCK, copy)
    git(copy, "init", "--quiet")
    for length in (1_500_000, 6_000_000):
        (copy / "dev" / "bench" / "parts" / "stored.py").write_text(LOOP.format(length=length))
        git(copy, "add", ".")
        git(copy, "commit", "--quiet", "--message", f"loop {length} times")
    return copy


@pytest.mark.long
def test_a_slower_commit_is_found_and_named(repository: Path, tmp_path: Path) -> None:
    """It runs both revisions, from a worktree and from the checkout, with servers of their own."""
    command = [sys.executable, "-m", "dev.bench", "stored", "--quick", "--rounds", "1", "--compare", "HEAD~1"]
    done = subprocess.run(
        command,
        cwd=repository,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "DATA_DIR": str(tmp_path / "data")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1, done.stdout + done.stderr
    assert "Slower by more than 10%: stored: a loop: processor time." in done.stdout
    listed = subprocess.run(["git", "worktree", "list"], cwd=repository, capture_output=True, text=True, check=True)
    assert len(listed.stdout.splitlines()) == 1


def test_a_base_that_is_no_revision_is_told(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dev.bench", "drain", "--quick", "--compare", "no-such-revision"],
        cwd=ROOT,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert done.stderr.startswith("bench: git worktree add")
