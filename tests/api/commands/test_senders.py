"""Tests `python -m api senders`, from an empty folder to a gateway that ingest accepts."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from api.commands import senders
from dev.gateway.senders import senders as pretend_senders
from dev.gateway.senders.sender_hooks import SESSIONS, PretendHook
from dev.gateway.senders.senders import KEY, PretendSenders
from environment import senders_file
from environment.sender_kinds import KINDS, Scheme
from tests.support.processes.ingest_process import IngestProcess
from tests.support.senders import sender_payloads

SECRET = "a-secret-made-up-for-tests-0123456789"
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
    with pytest.raises(match="has a sender shop already"):
        run(tmp_path, "add", "shop", "gowa")
    run(tmp_path, "remove", "go")
    assert list(senders_file.read(file)) == ["shop"]
    assert file.read_text().startswith("# Written by hand.\n")
    with pytest.raises(match="has no sender go"):
        run(tmp_path, "remove", "go")


@pytest.mark.parametrize("kind", KINDS)
def test_the_steps_of_every_kind_have_the_url_and_a_new_secret_is_long(tmp_path: Path, kind: str) -> None:
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


@pytest.fixture
def gateways() -> Iterator[PretendSenders]:
    with pretend_senders.running() as running:
        yield running


def written(gateways: PretendSenders, folder: Path, *kinds: str) -> None:
    """Return the section of each kind as an operator writes it, with a secret that every gateway accepts."""
    sections = [
        f'[{kind}-one]\nkind = "{kind}"\nsecrets = ["{SECRET}"]\n'
        f'base_url = "{gateways.url}/{kind}"\napi_key = "{KEY}"\n'
        for kind in kinds
    ]
    (folder / "senders.toml").write_text("\n".join(sections), encoding="utf-8")


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::jwt.InsecureKeyLengthWarning")
def test_each_gateway_is_registered_tested_and_moved(gateways: PretendSenders, redis_url: str, tmp_path: Path) -> None:
    """After that, the gateway posts with the signature that ingest expects.

    If the address changes, the secret stays.
    """
    written(gateways, tmp_path, *(SESSIONS.keys() - {"meta"}))
    with IngestProcess(redis_url, tmp_path) as ingest:
        here, there = (f"http://{host}:{ingest.port}" for host in ("127.0.0.1", "localhost"))
        meta = ("--base-url", f"{gateways.url}/meta", "--api-key", KEY, "--session", SESSIONS["meta"])
        outputs = [run(tmp_path, "add", "meta-one", "meta", "--secret", SECRET, *meta, "--ingest", here)]
        gateways.hooks["meta"].only().key = SECRET
        for kind, session in SESSIONS.items():
            name, named = f"{kind}-one", ("--session", session) if kind == "meta" else ()
            event = next(each.body for each in sender_payloads.load(kind) if each.body.startswith(b"{"))
            if kind != "meta":
                outputs.append(run(tmp_path, "register", name, "--ingest", here))
            assert gateways.hooks[kind].post(event) == [200], kind
            outputs.append(run(tmp_path, "check", name, "--ingest", here, *named))
            with pytest.raises(SystemExit, match=r"FAILED: .* instead of .*: `senders move`"):
                run(tmp_path, "check", name, "--ingest", there, *named)
            outputs.append(run(tmp_path, "move", name, "--ingest", there, *named))
            assert [hook.url for hook in gateways.hooks[kind].registered] == [f"{there}/webhooks/{name}"]
            assert gateways.hooks[kind].post(event) == [200], kind

    assert any("posted a test event" in output for output in outputs)
    assert [output for output in outputs if SECRET in output or KEY in output] == []


def test_a_webhook_that_posts_elsewhere_is_not_taken_by_itself(gateways: PretendSenders, tmp_path: Path) -> None:
    """It may belong to another program. WAHA and OpenWA support several webhooks."""
    written(gateways, tmp_path, "gowa", "waha")
    other = "https://other.example/hook"
    gateways.hooks["waha"].registered = [PretendHook(other, fields={"url": other})]

    for elsewhere in (other, "https://staging.example/webhooks/gowa-one"):
        gateways.hooks["gowa"].registered = [PretendHook(elsewhere)]
        with pytest.raises(SystemExit, match=f"FAILED: till: till posts to {elsewhere}.* --replace"):
            run(tmp_path, "register", "gowa-one")
    gateways.hooks["gowa"].registered = [PretendHook("https://x.example/\x1b[2J\u202e\x9b2J/webhooks/gowa-one")]
    with pytest.raises(SystemExit) as escaped:
        run(tmp_path, "check", "gowa-one")
    assert "\\x1b[2J\\u202e\\x9b2J" in str(escaped.value)
    assert all(line.isprintable() for line in str(escaped.value).split("\n"))
    run(tmp_path, "register", "gowa-one", "--replace")
    run(tmp_path, "register", "waha-one")

    assert [hook.url for hook in gateways.hooks["gowa"].registered] == ["http://127.0.0.1:3000/webhooks/gowa-one"]
    assert [hook.url for hook in gateways.hooks["waha"].registered] == [
        other,
        "http://127.0.0.1:3000/webhooks/waha-one",
    ]


ODD_ANSWERS: list[tuple[tuple[int, Any], str]] = [
    ((400, {"message": f"the key {SECRET} of {KEY} is odd\x1b[2J"}), r"the key \[hidden\] of \[hidden\] is odd"),
    ((200, {"results": [7, {"id": {}}, {"id": "x" * 5_000}]}), "no session yet"),
    ((200, []), "no session yet"),
    ((302, {}), "redirects"),
]


@pytest.mark.parametrize(("answer", "message"), ODD_ANSWERS)
def test_an_unexpected_response_of_a_gateway_is_reported_without_a_secret(
    gateways: PretendSenders, tmp_path: Path, answer: tuple[int, Any], message: str
) -> None:
    """The response of a gateway is untrusted data."""
    written(gateways, tmp_path, "gowa")
    gateways.answer = answer

    with pytest.raises(SystemExit, match=message) as failure:
        run(tmp_path, "register", "gowa-one")

    assert str(failure.value).isprintable()


def test_a_gateway_that_cannot_be_called_is_set_up_by_hand(tmp_path: Path) -> None:
    run(tmp_path, "add", "shop", "gowa", "--base-url", "http://127.0.0.1:9")

    with pytest.raises(SystemExit, match=r"api_key(?s:.*)--webhook="):
        run(tmp_path, "register", "shop")


@pytest.mark.parametrize(("kind", "key"), [("waha", "customHeaders"), ("openwa", "headers"), ("evolution", "headers")])
def test_a_secret_that_is_a_header_is_shown_as_one(tmp_path: Path, kind: str, key: str) -> None:
    """If it were configured as a signing key, the gateway would sign, and ingest would refuse every webhook."""
    steps = run(tmp_path, "add", "shop", kind, "--secret", f"X-Hook-Token: {SECRET}")

    assert f'"{key}": ' in steps
    assert "X-Hook-Token: " not in steps
    assert SECRET in steps


def test_a_kind_without_steps_of_its_own_shows_what_its_gateway_must_send(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new kind needs only a folder and a line of data."""
    monkeypatch.setitem(cast("dict[str, Scheme]", KINDS), "newer", Scheme("x-newer-signature", prefix="sha256="))

    steps = run(tmp_path, "add", "shop", "newer", "--secret", SECRET)

    assert all(word in steps for word in ("x-newer-signature", "sha256=", SECRET))
