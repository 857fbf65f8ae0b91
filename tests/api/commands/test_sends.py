"""Tests the commands that need the database: send, reconcile and test."""

import json
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from api.commands import sak_check
from api.gateway.settings import SakSettings
from dev.gateway.misbehaviour import Misbehaviour
from dev.gateway.server import PretendGateway
from tests.support.history.history_writer import SENDER_LID, HistoryWriter, alias_fact, message_fact
from tests.support.processes.gateway_commands import run_sak
from tests.support.servers.server_thread import serving

PHONE = "919811000009"


@pytest.fixture
def environ(gateway: PretendGateway, database_url: str) -> Mapping[str, str]:
    return {**gateway.account.to_environ(gateway.base_url), "DATABASE_URL": database_url}


@pytest.fixture
def sak(
    environ: Mapping[str, str], capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str]]:
    """Run a command in an empty folder, and return its exit code and its output."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str, **changed: str) -> tuple[int, str]:
        code = run_sak([*words], {**environ, **changed})
        out, err = capsys.readouterr()
        return code, out + err

    return run


def machine(sak: Callable[..., tuple[int, str]], *words: str) -> Any:  # noqa: ANN401 - JSON
    return json.loads(sak(*words, "--json")[1])


def test_a_send_from_the_shell_is_stored_like_every_other_send(
    gateway: PretendGateway, sak: Callable[..., tuple[int, str]], history: HistoryWriter
) -> None:
    """A message sent from a terminal is part of the same history."""
    history.store(message_fact(address=SENDER_LID), alias_fact(phone=PHONE), session=gateway.account.session_id)
    code, output = sak("send", "--to", SENDER_LID, "--text", "hello")

    assert code == 0
    assert output.startswith(f"sent: {PHONE}\n")
    assert history.rows("SELECT state, text, token FROM sends") == [("sent", "hello", "command line")]
    assert [one.text for one in gateway.state.delivered_messages()] == ["hello"]


def test_a_file_and_a_key(gateway: PretendGateway, sak: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    """A script that runs twice sends once."""
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.7")
    words = ("send", "--to", PHONE, "--document", "a.pdf", "--text", "see", "--key", "k")
    first, second = machine(sak, *words), machine(sak, *words)
    (reached,) = gateway.state.delivered_messages()

    assert first == second
    assert reached.attachment
    assert (reached.type, reached.text, reached.attachment.name) == ("document", "see", "a.pdf")


def test_a_file_has_its_caption_by_either_name(
    gateway: PretendGateway, sak: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    """The API calls it caption, as SAK does."""
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.7")
    alone = sak("send", "--to", PHONE, "--caption", "see")
    with_file = sak("send", "--to", PHONE, "--document", "a.pdf", "--caption", "see")
    (reached,) = gateway.state.delivered_messages()

    assert (alone[0], with_file[0]) == (2, 0)
    assert "a caption needs a file" in alone[1]
    assert reached.text == "see"


@pytest.mark.parametrize(
    ("connected", "jwt", "expected", "line"),
    [
        (True, None, True, "5 WhatsApp  connected as 919800000000"),
        (False, None, False, "5 WhatsApp  NOT connected: no message arrives until the phone is linked in SAK again"),
        (True, "another", None, "5 WhatsApp  not known: SAK rejected the request: "),
    ],
)
def test_the_check_reports_the_connection_to_whatsapp(  # noqa: PLR0917 - a case and its fixtures
    gateway: PretendGateway,
    environ: Mapping[str, str],
    connected: bool,  # noqa: FBT001 - a case
    jwt: str | None,
    expected: bool | None,  # noqa: FBT001 - a case
    line: str,
) -> None:
    """A ping takes the whole path even if the phone is unlinked and no message can arrive."""
    gateway.state.connected = connected
    settings = SakSettings.from_environ(environ if jwt is None else {**environ, "SAK_JWT": jwt})
    assert settings is not None
    found = sak_check.check_whatsapp(settings, gateway.account.session_id)

    assert found[0] is expected
    assert found[1].startswith(line)


@pytest.mark.parametrize(
    ("fault", "code", "state"),
    [
        (Misbehaviour("queued"), 0, "queued"),
        (Misbehaviour("failed"), 1, "failed"),
        (Misbehaviour("answer", status=401, code="NO_API_KEY"), 1, "failed"),
        (Misbehaviour("reset_after"), 5, "unknown"),
    ],
)
def test_a_script_knows_by_the_exit_code_whether_it_may_send_again(
    fault: Misbehaviour, code: int, state: str, gateway: PretendGateway, sak: Callable[..., tuple[int, str]]
) -> None:
    """Exit code 5 means that the script must not retry."""
    gateway.misbehave(fault)
    exit_code, output = sak("send", "--to", PHONE, "--text", "hello")

    assert exit_code == code
    assert output.startswith(f"{state}: ")
    assert ("before you send it again" in output) == (state == "unknown")


def test_wrong_usage_sends_nothing(gateway: PretendGateway, sak: Callable[..., tuple[int, str]]) -> None:
    """Each mistake is reported in a sentence, with exit code 2."""
    results = [
        sak("send", "--to", "123", "--text", "hello"),
        sak("send", "--to", PHONE),
        sak("send", "--to", PHONE, "--image", "missing.png"),
        sak("send", "--to", PHONE, "--text", "hello", SAK_API_KEY=""),
        sak("send", "--to", PHONE, "--text", "hello", SAK_SESSION_ID=""),
        sak("send", "--to", PHONE, "--text", "hello", DATABASE_URL="", DATA_DIR="missing"),
    ]

    assert [code for code, _ in results] == [2] * 6
    assert gateway.state.call_counts() == {}


def test_unknown_sends_are_reconciled_from_the_shell(
    gateway: PretendGateway, sak: Callable[..., tuple[int, str]]
) -> None:
    """Reconcile one send by its id, or all of them."""
    gateway.misbehave(Misbehaviour("reset_after"))
    send_id = machine(sak, "send", "--to", PHONE, "--text", "hello")["send_id"]
    gateway.misbehave(Misbehaviour("reset"))
    machine(sak, "send", "--to", "919811000008", "--text", "hello")

    one = sak("reconcile", send_id)
    everything = machine(sak, "reconcile", "--all")["sends"]

    assert one[0] == 0
    assert "sent" in one[1]
    assert [(found["to"], found["settled"]) for found in everything] == [("919811000008", False)]
    assert sak("reconcile", "00000000-0000-0000-0000-000000000000")[0] == 1


@pytest.fixture
def yes_man() -> Iterator[str]:
    """Answer every request with 200 and store nothing, as a request-inspection site does."""

    class Yes(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Yes)
    with serving(server):
        yield f"http://127.0.0.1:{server.server_port}/"


def test_a_ping_that_was_accepted_and_not_stored_fails_at_the_workers_step(
    sak: Callable[..., tuple[int, str]], yes_man: str
) -> None:
    """A response of 200 does not prove that the event was stored. Only the row does."""
    sak("register", "--url", yes_man)
    code, output = sak("test", "--seconds", "0.3")

    assert code == 1
    assert "step 4, worker" in output


def test_missing_variables_are_read_from_the_env_file(
    environ: Mapping[str, str], sak: Callable[..., tuple[int, str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`./run` and the commands must use the same gateway."""
    lines = [f"{name}='{value}'  # ours" for name, value in environ.items()]
    (tmp_path / ".env").write_text("\n".join(["# a comment", "export OTHER=1", *lines]))
    code = run_sak(["status"], {})
    output = capsys.readouterr().out

    assert code == 0
    assert environ["SAK_PHONE"] in output
    assert sak("status", SAK_JWT="another")[0] == 3
