"""Tests the commands of docs/sending.md, as a new user pastes them, against the pretend gateway."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from dev.supervisor.stack import LocalStack
from tests.support.processes.running_system import WEBHOOK_SECRET, running_system
from tests.support.waiting import wait_until

GATEWAY = re.compile(r"pretend SAK at (http://\S+)/api/v1, writing to (\S+)")
PHONE = "919876543210"

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def demo() -> Iterator[LocalStack]:
    with running_system("--demo", SAK_BASE_URL="") as system:
        stack = system.stack
        stack.wait_for_output("pretend SAK at")
        (stack.data_dir / "api-token").write_text(stack.token)
        yield stack


def pasteable(stack: LocalStack) -> str:
    """Return the block that the page marks as tested, with the addresses and folders of this stack."""
    block = re.search(r"<!-- tested by .*? -->\n```sh\n(.*?)```", Path("docs/sending.md").read_text(), re.DOTALL)
    gateway = GATEWAY.search(stack.output)
    assert block
    assert gateway
    lines = (
        block[1]
        .replace("http://localhost:3002", gateway[1])
        .replace("http://127.0.0.1:3000/whatsapp-webhook", gateway[2])
    )
    lines = lines.replace("http://localhost:3001", stack.api_url).replace("var/", f"{stack.data_dir}/")
    return lines.replace(".env", f"{stack.data_dir}/.env")


def test_the_lines_of_the_page_paste(demo: LocalStack) -> None:
    """If the commands work with the demo, a failure with a real SAK has another cause."""
    pasted = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"export DATA_DIR={demo.data_dir}\n{pasteable(demo)}"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert pasted.returncode == 0, pasted.stdout + pasted.stderr
    for said in (
        "state    connected",
        "already registered",
        "1 database  reached",
        "4 worker    stored it",
        "the whole path works",
        f"sent: {PHONE}",
        '"status": "sent"',
        "no send is unknown or queued",
    ):
        assert said in pasted.stdout
    assert f"WEBHOOK_SECRETS={WEBHOOK_SECRET}" in (demo.data_dir / ".env").read_text()


def test_a_send_and_its_webhooks_are_one_row(demo: LocalStack) -> None:
    """The demo's gateway reports what it sent and the delivery, so the response and the webhooks race."""
    bearer = {"Authorization": f"Bearer {demo.token}"}
    phone = "919811000077"
    for number in range(5):
        answer = requests.post(
            f"{demo.api_url}/api/send", json={"to": phone, "text": f"number {number}"}, headers=bearer, timeout=30
        )
        assert answer.status_code == 200

    def ours() -> list[tuple[str, str]]:
        page = requests.get(f"{demo.api_url}/api/chats/{phone}", headers=bearer, timeout=30).json()["data"]
        return [(one["message_text"], one["status"]) for one in page["messages"] if one["direction"] == "outgoing"]

    wait_until(lambda: ours() == [(f"number {number}", "read") for number in range(5)])


def test_the_step_that_fails_is_named(demo: LocalStack) -> None:
    """The name of the failed step is needed for support."""
    gateway = GATEWAY.search(demo.output)
    assert gateway
    environ = pasteable(demo).partition("webhook=")[0]

    def sak(words: str, **changed: str) -> tuple[int, str]:
        said = "".join(f"export {name}={value}\n" for name, value in changed.items())
        done = subprocess.run(
            ["bash", "-euc", f"export DATA_DIR={demo.data_dir}\n{environ}{said}.venv/bin/python -m api sak {words}"],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    no_database = sak("test", DATABASE_URL="postgresql://127.0.0.1:9/none")
    no_sak = sak("test", SAK_BASE_URL="http://127.0.0.1:9/api/v1")
    no_webhook = sak("test --url http://127.0.0.1:9/elsewhere")
    sak("register --url http://127.0.0.1:9/elsewhere")
    no_ingest = sak("test --url http://127.0.0.1:9/elsewhere")
    sak("remove --url http://127.0.0.1:9/elsewhere")

    assert [code for code, _ in (no_database, no_sak, no_webhook, no_ingest)] == [4, 4, 3, 1]
    assert "step 1, database" in no_database[1]
    assert "step 2, SAK" in no_sak[1]
    assert "step 2, SAK" in no_webhook[1]
    assert "step 3, ingest" in no_ingest[1]
