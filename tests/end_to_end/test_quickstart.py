"""Tests the commands of docs/quickstart.md in order, in a folder like a fresh checkout, with a pretend SAK and site."""

import os
import re
import subprocess
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dev.checkout import ROOT
from dev.gateway import message_reports
from dev.gateway.server import PretendGateway
from dev.supervisor.stack import LocalStack
from environment import env_file
from tests.support.project import documentation
from tests.support.servers.server_folder import temporary_server_folder
from tests.support.servers.webhook_receiver import WebhookReceiver, running_webhook_receiver

PAGE = "docs/quickstart.md"
TEST = "tests/end_to_end/test_quickstart.py"


@contextmanager
def checkout() -> Generator[Path]:
    """Return a folder that shares our `.venv` but has its own `.env` and `var`."""
    with temporary_server_folder() as folder:
        (folder / ".venv").symlink_to(ROOT / ".venv")
        yield folder


def paste(folder: Path, lines: str) -> str:
    """Return what bash prints for the lines, run in this folder with an environment without our variables."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", lines],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def site() -> Iterator[WebhookReceiver]:
    with running_webhook_receiver() as receiver:
        yield receiver


@pytest.mark.long
@pytest.mark.timeout(300)
def test_the_checklist_is_ticked_line_by_line(site: WebhookReceiver) -> None:
    """The test runs the commands of each checkbox, from the beginning to the first chat."""
    blocks = [block.lines for block in documentation.command_blocks(PAGE) if block.tested_by == TEST]
    assert len(blocks) == 5
    inspect, update, send, verify, query = blocks
    with checkout() as folder, PretendGateway() as gateway:
        account = gateway.account
        for placeholder, ours in (
            ("https://sak.example/api/v1", gateway.base_url),
            ("your-jwt", account.jwt),
            ("your-key", account.api_key),
            ("your-session", account.session_id),
            ("https://inspection.example/your-page", site.url),
        ):
            assert placeholder in inspect
            inspect = inspect.replace(placeholder, ours)
        said = paste(folder, inspect)
        assert "connected" in said
        assert f"registered: {site.url}" in said
        message_reports.deliver_to_subscribers(gateway.state, message("to the inspection site", account.session_id))
        headers, body = site.events.get(timeout=10)
        assert b"to the inspection site" in body
        assert headers["X-Webhook-Signature"].startswith("sha256=")

        environ = env_file.read(folder / ".env")
        assert environ["WEBHOOK_SECRETS"]
        with LocalStack(folder / "var", environ) as stack:
            said = paste(folder, update.replace("https://your-server.com/whatsapp-webhook", stack.webhook_url))
            assert f"moved: {site.url} -> {stack.webhook_url}" in said
            assert "the whole path works" in said
            message_reports.deliver_to_subscribers(
                gateway.state, message("Hi, do you have this in stock?", account.session_id)
            )
            assert "sent: 919876543210" in paste(folder, send)
            said = paste(folder, eventually_stored(verify))
            assert "Hi, do you have this in stock?" in said
            assert "Your order has been confirmed!" in said
            assert said.rstrip().endswith("exact")
            said = paste(folder, query.replace("http://localhost:3001", stack.api_url))
            assert re.search(r'"phone_number": ?"919876543210"', said)
            assert "Your order has been confirmed!" in said
            again = documentation.tested_commands("README.md", TEST).replace(
                "https://your-server.com/whatsapp-webhook", stack.webhook_url
            )
            said = paste(folder, again)
            assert "already registered" in said
            assert "sent: 919876543210" in said


def message(text: str, session_id: str) -> dict[str, object]:
    """Return the event that SAK creates for a message from a phone to the session's phone."""
    return {
        "event": "message.received",
        "sessionId": session_id,
        "from": "919876543210@s.whatsapp.net",
        "messageId": f"3EB0{abs(hash(text)):016X}",
        "timestamp": int(time.time()),
        "type": "conversation",
        "text": text,
        "from_number": "+919876543210",
    }


def eventually_stored(lines: str) -> str:
    """Wait for the worker, which a person would not notice, but a script would."""
    return f"sleep 1\n{lines}"
