import json
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from dev.gateway.misbehaviour import Misbehaviour
from dev.gateway.server import PretendGateway
from tests.support.processes.gateway_commands import run_sak

URL = "http://127.0.0.1:9/whatsapp-webhook"


@pytest.fixture
def environ(gateway: PretendGateway) -> Mapping[str, str]:
    return gateway.account.to_environ(gateway.base_url)


@pytest.fixture
def sak(environ: Mapping[str, str], capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Run a command, and return its exit code and its output."""

    def run(*words: str, **changed: str) -> tuple[int, str]:
        code = run_sak([*words], {**environ, **changed})
        out, err = capsys.readouterr()
        return code, out + err

    return run


@pytest.fixture
def machine(sak: Callable[..., tuple[int, str]]) -> Callable[..., Any]:
    """Run a command with --json, and return its parsed output."""
    return lambda *words: json.loads(sak(*words, "--json")[1])


def test_register_prints_the_secret_and_may_be_repeated(
    gateway: PretendGateway, sak: Callable[..., tuple[int, str]]
) -> None:
    """SAK returns the secret only here, so the command must print it."""
    first = sak("register", "--url", URL)
    second = sak("register", "--url", URL)
    (webhook,) = gateway.state.webhooks()

    assert first[0] == second[0] == 0
    assert webhook.secret in first[1]
    assert webhook.secret in second[1]
    assert "message.received" in webhook.events


def test_register_subscribes_to_the_named_events(gateway: PretendGateway, machine: Callable[..., Any]) -> None:
    """It is possible to subscribe to `status.change` and other events long before SAK sends them."""
    answer = machine("register", "--url", URL, "--events", "message.received, session.status")

    assert answer["events"] == ["message.received", "session.status"]
    assert gateway.state.webhooks()[0].events == ("message.received", "session.status")


def test_register_puts_the_secret_first_into_the_env_file(
    gateway: PretendGateway, sak: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    """The old secret stays after it, because webhooks that it signed may be in transit. Other lines do not change."""
    file = tmp_path / ".env"
    file.write_text("# ours\nAPI_PORT=3001\nWEBHOOK_SECRETS='oldest,old'  # two\nSAK_PHONE=919800000000\n")
    (first, second) = [sak("register", "--url", URL, "--write-env", str(file)) for _ in range(2)]
    secret = gateway.state.webhooks()[0].secret

    assert (first[0], second[0]) == (0, 0)
    assert secret not in first[1] + second[1]
    assert "accepts it within a second, without a restart" in first[1]
    assert "restart" not in second[1]
    assert file.read_text().splitlines() == [
        "# ours",
        "API_PORT=3001",
        "SAK_PHONE=919800000000",
        f"WEBHOOK_SECRETS={secret},oldest,old",
    ]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [".env"]


def test_a_secret_that_cannot_be_written_is_still_printed(
    gateway: PretendGateway, sak: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    """The registration succeeded. Only the secret could not be stored."""
    code, said = sak("register", "--url", URL, "--write-env", str(tmp_path / "missing" / ".env"))

    assert code == 1
    assert gateway.state.webhooks()[0].secret in said
    assert "add it yourself" in said


def test_the_only_webhook_moves_without_being_named(
    gateway: PretendGateway, sak: Callable[..., tuple[int, str]]
) -> None:
    """This is step 6.4 of the guide in one line. If it is repeated, it changes nothing."""
    sak("register", "--url", URL)
    secret = gateway.state.webhooks()[0].secret
    codes = [sak("move", "--url", URL + "/new")[0] for _ in range(2)]
    (webhook,) = gateway.state.webhooks()

    assert codes == [0, 0]
    assert (webhook.url, webhook.secret) == (URL + "/new", secret)
    assert gateway.call_count("PUT /webhooks/{id}") == 1


def test_of_several_webhooks_one_must_be_named(gateway: PretendGateway, sak: Callable[..., tuple[int, str]]) -> None:
    """If the wrong webhook were moved or removed, its messages would be lost."""
    sak("register", "--url", URL)
    sak("register", "--url", URL + "/2")
    moved, said = sak("move", "--url", URL + "/3")
    removed, _ = sak("remove", "--url", URL + "/2")
    gone, _ = sak("remove", "--url", URL + "/2")

    assert (moved, removed, gone) == (1, 0, 1)
    assert URL + "/2" in said
    assert [webhook.url for webhook in gateway.state.webhooks()] == [URL]


def test_webhooks_are_listed_without_their_secrets(
    gateway: PretendGateway, sak: Callable[..., tuple[int, str]], machine: Callable[..., Any]
) -> None:
    """SAK does not return secrets again."""
    assert sak("webhooks") == (0, "no webhooks\n")
    sak("register", "--url", URL)
    code, said = sak("webhooks")

    assert code == 0
    assert URL in said
    assert machine("webhooks")[0]["url"] == URL
    assert gateway.state.webhooks()[0].secret not in said


def test_status_is_an_exit_code_too(gateway: PretendGateway, sak: Callable[..., tuple[int, str]]) -> None:
    """`python -m api sak status || alert` needs no further parsing."""
    connected = sak("status")
    gateway.state.connected = False
    disconnected = sak("status")

    assert (connected[0], disconnected[0]) == (0, 1)
    assert "not connected" in disconnected[1]
    assert "not connected" not in connected[1]


def test_each_kind_of_failure_has_its_exit_code(gateway: PretendGateway, sak: Callable[..., tuple[int, str]]) -> None:
    """A script must know whether something was done, in order to decide whether to retry."""
    unset = sak("status", SAK_BASE_URL="")
    refused = sak("webhooks", SAK_JWT="another")
    unreachable = sak("webhooks", SAK_BASE_URL="http://127.0.0.1:9/api/v1")
    gateway.misbehave(Misbehaviour("answer", status=429, headers={"Retry-After": "60"}))
    limited = sak("status")
    gateway.misbehave(Misbehaviour("garbage"))
    unknown = sak("status")

    assert [code for code, _ in (unset, refused, unreachable, limited, unknown)] == [2, 3, 4, 4, 5]
    assert "SAK_BASE_URL" in unset[1]
    assert "AUTH_FAILED" in refused[1]


def test_a_failure_is_json_too(sak: Callable[..., tuple[int, str]]) -> None:
    """Programs can parse the output in every case."""
    code, said = sak("webhooks", "--json", SAK_JWT="another")

    assert code == 3
    assert json.loads(said)["code"] == "AUTH_FAILED"


def test_no_answer_of_the_gateway_controls_a_terminal_or_the_env_file(
    gateway: PretendGateway, sak: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    """The gateway belongs to somebody else. A secret with a line break wrote a variable into `.env`."""
    hostile, file = "http://x/\x1b[2J\u202e\x9b2J", tmp_path / ".env"
    file.write_text("HOST=::\n")
    gateway.state.register(hostile, ["message.received\x1b[2J"])
    gateway.state.register(URL, [], "x\nAPI_TOKEN=mine")

    listed, as_json = sak("webhooks"), sak("webhooks", "--json")
    written = sak("register", "--url", URL, "--write-env", str(file))
    gateway.misbehave(Misbehaviour("answer", status=400, code=hostile, message=hostile, times=2))
    failed = [sak("status"), sak("status", "--json")]

    assert (listed[0], as_json[0], written[0] != 0) == (0, 0, True)
    assert "http://x/" in listed[1]
    assert file.read_text() == "HOST=::\n"
    assert all(line.isprintable() for _, said in (listed, as_json, written, *failed) for line in said.split("\n"))


def test_wrong_usage_ends_with_2(sak: Callable[..., tuple[int, str]]) -> None:
    """Exit code 2 is the convention for wrong usage."""
    with pytest.raises(SystemExit) as end:
        sak("register")

    assert end.value.code == 2
