"""Tests every command and process with invalid input: the error is one sentence without any part of a password."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.support.processes import preloaded_python

COMMANDS: Sequence[Sequence[str]] = (
    ("store", "ledger"),
    ("store", "doctor", "--quiet"),
    ("store", "migrate"),
    ("store", "backup", "to"),
    ("store", "raw"),
    ("store", "forget", "919811000101"),
    ("worker",),
    ("worker", "replay", "--dry-run"),
    ("worker", "doctor"),
    ("api",),
    ("api", "token", "list"),
    ("api", "sak", "reconcile", "--all"),
)
COMPLETE = {
    "API_TOKEN": "made-up-token-0123456789",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "SAK_BASE_URL": "http://127.0.0.1:1/api/v1",
    "SAK_API_KEY": "key",
    "API_PORT": "0",
}


def run(
    command: Sequence[str], folder: Path, environ: Mapping[str, str], output: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `python -m COMMAND` in a folder that is not a checkout."""
    environment = {"PATH": os.environ["PATH"], "DATA_DIR": str(folder), **environ}
    return preloaded_python.run(*command, environment=environment, cwd=folder, output_path=output)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://app:secret-part@word@127.0.0.1:5432/history",
        pytest.param("nonsense", marks=pytest.mark.long),
        pytest.param("mysql://app:word@localhost/x", marks=pytest.mark.long),
    ],
)
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_database_url_that_is_none_is_one_sentence(command: Sequence[str], url: str, tmp_path: Path) -> None:
    done = run(command, tmp_path, COMPLETE | {"DATABASE_URL": url})
    said = (done.stdout or "") + done.stderr

    assert done.returncode != 0 or command == ("worker", "doctor")
    assert "Traceback" not in said
    assert "secret-part" not in said
    assert "word@127" not in said
    if command != ("worker", "doctor"):
        assert said.count("DATABASE_URL must look like postgresql://user:password@host:port/database") == 1


@pytest.mark.parametrize("command", [command for command in COMMANDS if len(command) > 1], ids=" ".join)
def test_a_command_reads_the_env_file_of_its_folder(command: Sequence[str], tmp_path: Path) -> None:
    """`api sak` reads it. If the doctor read other variables than ./run, it would report about another system."""
    (tmp_path / ".env").write_text("\ufeffDATABASE_URL=nonsense # ours\nREDIS_URL=nonsense\n", encoding="utf-8")
    done = run(command, tmp_path, {name: value for name, value in COMPLETE.items() if name != "REDIS_URL"})

    assert "Traceback" not in done.stdout + done.stderr
    assert ("REDIS_URL must" if command[0:2] == ("worker", "doctor") else "DATABASE_URL must") in (
        done.stdout + done.stderr
    )


@pytest.mark.parametrize("command", [command for command in COMMANDS if len(command) > 1], ids=" ".join)
def test_an_env_file_in_utf_16_is_one_sentence(command: Sequence[str], tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("API_TOKEN=x\n", encoding="utf-16")
    done = run(command, tmp_path, COMPLETE)

    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert ".env is UTF-16" in done.stderr


@pytest.mark.parametrize("command", [("store", "ledger"), ("store", "doctor"), ("api", "token", "list")], ids=" ".join)
def test_a_command_without_a_database_names_the_folder_that_it_searched(command: Sequence[str], tmp_path: Path) -> None:
    """The command was started in another folder than ./run."""
    done = run(command, tmp_path, {"REDIS_URL": "redis://127.0.0.1:1/0", "DATA_DIR": "elsewhere"})

    assert f"DATA_DIR ({tmp_path / 'elsewhere'})" in done.stdout + done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a full disk at hand")
@pytest.mark.parametrize("command", [("store", "doctor"), ("worker", "doctor")], ids=" ".join)
def test_a_full_disk_behind_the_output_is_one_sentence(command: Sequence[str], tmp_path: Path) -> None:
    done = run(command, tmp_path, COMPLETE | {"DATABASE_URL": "postgresql://127.0.0.1:1/x"}, output=Path("/dev/full"))

    assert done.returncode == 2
    assert done.stderr == f"{command[0]}: No space left on device.\n"
