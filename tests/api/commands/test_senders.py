"""`python -m api senders`: from an empty folder to a gateway that ingest knows."""

import argparse
from pathlib import Path

import pytest

from api.commands import senders
from environment import senders_file
from environment.sender_kinds import KINDS
from environment.senders_file import SendersFileError
from tests.support.ingest_process import IngestProcess

BY_HAND = """# Written by hand.
[go]  # the old one
kind = "gowa"
secrets = [
    "made-up-for-tests",
]
"""


def run(folder: Path, *words: str) -> str:
    parser = argparse.ArgumentParser()
    senders.add_parser(parser.add_subparsers(dest="group"))
    return senders.run(parser.parse_args(["senders", *words]), {"DATA_DIR": str(folder)})


def test_a_sender_is_added_listed_and_removed_and_the_rest_of_the_file_stays(tmp_path: Path) -> None:
    file = tmp_path / "senders.toml"
    file.write_text(BY_HAND)
    steps = run(
        tmp_path,
        *("add", "shop", "waha", "--secret", 'a"key\\made-up', "--account", "+91 98110 00001"),
        *("--base-url", "http://127.0.0.1:3000/", "--ingest", "https://history.example.com/"),
    )
    added = senders_file.read(file)["shop"]

    assert "url: https://history.example.com/webhooks/shop\n" in steps
    assert (added.secrets, added.account, added.base_url) == (
        ('a"key\\made-up',),
        "919811000001",
        "http://127.0.0.1:3000",
    )
    assert file.read_text().startswith(BY_HAND)
    assert file.stat().st_mode & 0o777 == 0o600
    assert run(tmp_path, "list") == (
        "go: gowa, account as reported, not called, secrets: 1\n"
        "shop: waha, account 919811000001, http://127.0.0.1:3000, secrets: 1"
    )
    with pytest.raises(SendersFileError, match="has a sender shop already"):
        run(tmp_path, "add", "shop", "gowa")
    run(tmp_path, "remove", "go")
    assert list(senders_file.read(file)) == ["shop"]
    assert file.read_text().startswith("# Written by hand.\n")
    with pytest.raises(SendersFileError, match="has no sender go"):
        run(tmp_path, "remove", "go")


@pytest.mark.parametrize("kind", KINDS)
def test_the_steps_of_every_kind_name_the_url_and_a_new_secret_is_long(tmp_path: Path, kind: str) -> None:
    run(tmp_path, "add", "shop.in", kind)
    sender = senders_file.read(tmp_path / "senders.toml")["shop.in"]
    steps = run(tmp_path, "url", "shop.in")

    assert len(sender.secrets[0]) == 64
    assert steps.count("http://127.0.0.1:3000/webhooks/shop.in") == (3 if kind == "waha" else 2)
    assert (sender.verify_token or sender.secrets[0]) in steps or kind == "sak"
    run(tmp_path, "remove", "shop.in")
    assert run(tmp_path, "list") == "there are no senders"


def test_a_check_asks_ingest_and_the_gateway(redis_url: str, tmp_path: Path) -> None:
    run(tmp_path, "add", "shop", "gowa")
    with IngestProcess(redis_url, tmp_path) as ingest:
        address = f"http://127.0.0.1:{ingest.port}"
        assert run(tmp_path, "check", "shop", "--ingest", address).startswith("ok: ")
        run(tmp_path, "add", "later", "waha", "--base-url", f"{address}/healthz")
        with pytest.raises(SystemExit, match=r"FAILED: .* answers 404 instead of 401(?s:.*)ok: .* \(status 200\)"):
            run(tmp_path, "check", "later", "--ingest", f"{address}/nowhere")
    with pytest.raises(SystemExit, match=r"FAILED: .* does not answer"):
        run(tmp_path, "check", "shop", "--ingest", address)
    with pytest.raises(SystemExit, match="there is no sender other"):
        run(tmp_path, "check", "other")
