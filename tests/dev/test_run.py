"""Tests the shell script `./run`, before any of our Python code runs."""

import os
import subprocess
from pathlib import Path

import pytest

from dev.checkout import ROOT


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the script with few variables and from another folder, as on a new machine."""
    bare = {"HOME": os.environ.get("HOME", "/"), "PATH": "/usr/bin:/bin"}
    return subprocess.run([ROOT / "run", *arguments], cwd=cwd, env=bare, capture_output=True, text=True, check=False)


def test_help_needs_nothing(tmp_path: Path) -> None:
    answer = run("--help", cwd=tmp_path)

    assert (answer.returncode, answer.stderr) == (0, "")
    assert "./run test" in answer.stdout


@pytest.mark.parametrize("word", ["--dmeo", "tset", "start"])
def test_a_word_that_it_does_not_know_starts_nothing(tmp_path: Path, word: str) -> None:
    """A start must not ignore a mistyped option."""
    answer = run(word, cwd=tmp_path)

    assert answer.returncode == 2
    assert f"./run: unknown command '{word}'" in answer.stderr
