"""Tests `python -m worker backfill` as an operator runs it."""

import os
from pathlib import Path

import pytest

from telemetry.errors import SettingsError
from tests.support.processes import preloaded_python
from tests.support.senders.pretend_gateways import API_KEY, PagedGateway, PastMessage
from worker.commands import backfill

MESSAGES = [PastMessage("919811000011", f"3A{number:04}", "Hi", 1_789_000_000 + number) for number in range(150)]


def run(database_url: str, folder: Path, senders: str, *arguments: str) -> tuple[int, str, str]:
    (folder / "senders.toml").write_text(senders, encoding="utf-8")
    environment = {"DATABASE_URL": database_url, "DATA_DIR": str(folder), "PATH": os.environ["PATH"]}
    ran = preloaded_python.run("worker", "backfill", *arguments, environment=environment)
    return ran.returncode, ran.stdout, ran.stderr


def test_the_command_says_what_it_has_read(database_url: str, tmp_path: Path) -> None:
    """The command needs only the section of the sender."""
    gateway = PagedGateway("waha", MESSAGES)
    senders = f'[shop]\nkind = "waha"\nsecrets = ["k3yk3yk3y"]\nbase_url = "{gateway.url}"\napi_key = "{API_KEY}"\n'

    code, out, err = run(database_url, tmp_path, senders, "shop", "--pause", "0", "--since", "2026-01-01")
    gateway.close()

    assert (code, out, err) == (0, "2 pages read: 150 stored\n", "")


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        ("waha", "depot", "There is no sender depot"),
        ("meta", "shop", "The past of a gateway of kind meta cannot be read"),
        ("waha", "shop", "The sender shop has no base_url"),
    ],
)
def test_a_sender_that_cannot_be_read_is_named(tmp_path: Path, kind: str, name: str, said: str) -> None:
    (tmp_path / "senders.toml").write_text(f'[shop]\nkind = "{kind}"\nsecrets = ["k3yk3yk3y"]\n', encoding="utf-8")

    with pytest.raises(SettingsError, match=said):
        backfill.main([name], {"DATA_DIR": str(tmp_path)})
