"""Tests the Procfile as platforms read it: with honcho, an external PORT, and existing servers."""

import os
import random
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests

from dev.checkout import ROOT
from dev.embedded import child_process
from tests.support.processes.deployed_system import is_free, responds
from tests.support.processes.running_system import WEBHOOK_SECRET, message_webhook, signed_headers
from tests.support.project import documentation
from tests.support.waiting import wait_until

TOKEN = "made-up-token-0123456789"
TEST = "tests/deploy/test_procfile.py"
PHONE = "919812345678"
PATH = f"{Path(sys.executable).parent}:/usr/bin:/bin"


@dataclass
class Foreman:
    """A running honcho and its output."""

    popen: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list[str])

    def pids(self) -> dict[str, int]:
        return {name: int(pid) for name, pid in re.findall(r"(\w+)\.1 started \(pid=(\d+)\)", self.said)}

    @property
    def said(self) -> str:
        return "\n".join(self.lines)

    def read(self) -> None:
        assert self.popen.stdout
        with self.popen.stdout as output:
            self.lines.extend(line.rstrip() for line in output)


@contextmanager
def honcho(environment: Mapping[str, str], port: int) -> Generator[Foreman]:
    """Run the commands of docs/deploy.md as one process, which ends with the test at the latest."""
    plain, quiet = "honcho start", f"honcho -e {os.devnull} start --no-colour -p {port}"
    lines = documentation.tested_commands("docs/deploy.md", TEST).replace(plain, quiet)
    assert quiet in lines
    popen = subprocess.Popen(
        ["bash", "-euc", lines.replace(".venv/bin/honcho", "exec .venv/bin/honcho")],
        cwd=ROOT,
        env={"PATH": PATH, "HOME": "/nonexistent", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    foreman = Foreman(popen)
    reader = threading.Thread(target=foreman.read)
    reader.start()
    try:
        yield foreman
    finally:
        if popen.poll() is None:
            popen.send_signal(signal.SIGTERM)
        popen.wait(60)
        reader.join()


def ports() -> tuple[int, int]:
    """Return honcho's first port, and one for the worker's pages. honcho gives the api a port that is 200 higher."""
    for first in random.sample(range(21000, 29000), 1000):
        if all(is_free(first + each) for each in (0, 200, 250)):
            return first, first + 250
    raise AssertionError("every port is taken")


@pytest.mark.long
def test_the_three_lines_are_a_whole_system(database_url: str, redis_url: str, tmp_path: Path) -> None:
    """The test covers a webhook to a chat, with only the Procfile and the variables that a platform sets."""
    first, pages = ports()
    environment = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "WEBHOOK_SECRETS": WEBHOOK_SECRET,
        "API_TOKEN": TOKEN,
        "SPOOL_DIR": f"{tmp_path}/spool",
        "WORKER_PORT": str(pages),
    }
    ingest, api, worker = (f"http://127.0.0.1:{port}" for port in (first, first + 200, pages))
    with honcho(environment, first) as foreman:
        for url in (ingest, worker, api):
            for page in ("/healthz", "/readyz", "/metrics"):
                wait_until(lambda asked=url + page: responds(asked), 60)
        body = message_webhook(PHONE, 1, "through the Procfile")
        assert requests.post(f"{ingest}/whatsapp-webhook", data=body, headers=signed_headers(body), timeout=20).ok

        def texts() -> list[str]:
            answer = requests.get(f"{api}/api/chats/{PHONE}", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=20)
            return [each["message_text"] for each in answer.json()["data"]["messages"]]

        wait_until(lambda: texts() == ["through the Procfile"])
        processes = foreman.pids()
        foreman.popen.send_signal(signal.SIGTERM)
        foreman.popen.wait(60)

    assert set(processes) == {"ingest", "worker", "api"}
    assert {name: child_process.command_line(pid) for name, pid in processes.items()} == dict.fromkeys(processes, "")
    assert "Traceback" not in foreman.said, foreman.said


@pytest.mark.parametrize(
    ("process", "variable"), [("ingest", "REDIS_URL"), ("worker", "DATABASE_URL"), ("api", "API_TOKEN")]
)
def test_a_process_that_lacks_a_variable_says_which(process: str, variable: str) -> None:
    """The user sees only the log of the platform."""
    command = [sys.executable, "-m", "honcho", "-e", os.devnull, "start", "--no-colour", process]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={"PATH": PATH},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode != 0
    assert variable in done.stdout + done.stderr


def test_the_procfile_has_no_release_line() -> None:
    """honcho interprets a finished release process as a crash, and ends the others."""
    names = [line.partition(":")[0] for line in (ROOT / "Procfile").read_text().splitlines()]

    assert names == ["ingest", "worker", "api"]
