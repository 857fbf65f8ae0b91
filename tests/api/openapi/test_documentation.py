"""Tests the examples of docs/api.md as they are pasted."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from api.openapi import document
from dev.checkout import ROOT
from dev.gateway.server import PretendGateway
from tests.support.history.history_writer import API_TOKEN, HistoryWriter, message_fact, name_fact
from tests.support.processes.api_server import running_api

PAGE = (ROOT / "docs" / "api.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = [line for block in BLOCKS for line in block.splitlines()]
NO_JSON = ("/api/stream", "/export")


@pytest.fixture
def documented(history: HistoryWriter, database_url: str) -> Iterator[str]:
    """Return an API with the objects that the examples mention."""
    history.store(message_fact("a blue parcel", id="M1"), name_fact("John"))
    with PretendGateway() as gateway:
        environ = {"DATABASE_URL": database_url, "API_TOKEN": API_TOKEN, **gateway.account.to_environ(gateway.base_url)}
        with running_api(environ) as url:
            yield url


def test_every_example_does_what_the_page_says(documented: str) -> None:
    """The examples run in the order of the page. People paste them first, and judge the product by them."""
    environ = {**os.environ, "API": documented, "TOKEN": API_TOKEN}
    answers: dict[str, str] = {}
    for command in COMMANDS:
        done = subprocess.run(["sh", "-c", command], env=environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, command
        answers[command] = done.stdout
        if not any(part in command for part in NO_JSON):
            assert json.loads(done.stdout)["success"] is True, f"{command}: {done.stdout}"

    assert len(answers) > 20
    assert all(answers.values())
    assert [one["message_id"] for one in data(answers, "?around=M1")["messages"]] == ["M1"]
    assert data(answers, "/api/search")["results"][0]["snippet"] == "a blue parcel"
    assert data(answers, "/api/send")["status"] == "sent"
    assert "id: " in next(said for command, said in answers.items() if "/api/stream" in command)


def data(answers: dict[str, str], part: str) -> Any:  # noqa: ANN401 - JSON
    return next(json.loads(said)["data"] for command, said in answers.items() if part in command)


def test_every_call_is_on_the_page() -> None:
    """People do not find a call that only the OpenAPI document describes."""
    paths = [path.partition("{")[0].rstrip("/") for path in json.loads(document.DOCUMENT)["paths"]]

    assert [path for path in paths if path not in PAGE] == []
