"""Tests reports about sending, listening addresses and large bodies through every process, as started by `./run`."""

import base64
import contextlib
import json
import os
import socket
import subprocess
import sys
import urllib.parse
from collections.abc import Generator, Iterator
from typing import Any

import pytest
import requests

from dev.checkout import ROOT
from dev.supervisor.stack import LocalStack
from tests.support.processes.running_system import WEBHOOK_SECRET, RunningSystem, running_system, signed_headers
from tests.support.waiting import wait_until

pytestmark = pytest.mark.long
REPORTS = {
    path.name[:3]: json.loads(path.read_text(encoding="utf-8"))
    for path in (ROOT / "tests" / "payloads" / "reports").glob("*.json")
}
DEMO = {"WEBHOOK_SECRETS": WEBHOOK_SECRET, "SAK_BASE_URL": ""}


@pytest.fixture(scope="module")
def demo() -> Iterator[RunningSystem]:
    """Return a stack with the pretend gateway."""
    with running_system("--demo", **DEMO) as system:
        system.stack.wait_for_output("pretend SAK at")
        yield system


def run_step(system: RunningSystem, step: dict[str, Any]) -> requests.Response:
    """Send the request of a step."""
    if step["kind"] == "webhook":
        body = json.dumps(step["body"]).encode()
        return requests.post(system.stack.webhook_url, data=body, headers=signed_headers(body), timeout=20)
    return requests.request(
        step["method"],
        system.stack.api_url + step["path"],
        headers={"Authorization": f"Bearer {system.stack.token}"},
        json=step.get("body"),
        timeout=30,
    )


def test_r16_zeros_before_a_number_reach_its_owner_or_nobody(demo: RunningSystem) -> None:
    number = "919811000123"
    steps = [step for step in REPORTS["R16"]["steps"] if step["kind"] != "note"]
    sends = [(step["body"]["to"], run_step(demo, step)) for step in steps if step["path"] == "/api/send"]
    for step in steps:
        if step["kind"] == "webhook":
            assert run_step(demo, step).status_code == 200
    wait_until(lambda: "thanks" in demo.message_texts(number))

    national, *international = [response for _, response in sends]
    assert (national.status_code, national.json()["code"]) == (400, "bad_recipient")
    assert "begins with 0" in national.json()["error"]
    assert [response.json()["data"]["to"] for response in international] == [number, number]
    assert sorted(filter(None, demo.message_texts(number))) == ["thanks", *["your order is ready"] * 2]
    listed = demo.chats_by_address()
    assert not [address for address in listed if address.startswith("0")]
    for address in listed:
        assert demo.message_texts(urllib.parse.quote(address)), address
    assert demo.message_texts("0091%2098110%2000123") == demo.message_texts(number)


@pytest.mark.parametrize(("host", "families"), [("::", 2), ("localhost", 1)])
def test_r20_host_outranks_every_address_of_ipv4(demo: RunningSystem, host: str, families: int) -> None:
    taken = {module: reachable_families(demo, module, host) for module in ("ingest", "api")}

    assert taken["ingest"] == taken["api"], "one HOST means the same for both"
    assert len(taken["ingest"]) == families


def reachable_families(system: RunningSystem, module: str, host: str) -> list[str]:
    """Return the loopback addresses on which another process of the module answers, as Railway would start it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    data_dir = system.stack.data_dir
    environ = {
        "PATH": os.environ["PATH"],
        "DATA_DIR": str(data_dir / module),
        "PORT": str(port),
        "HOST": host,
        "REDIS_URL": (data_dir / "redis-url").read_text(),
        "DATABASE_URL": (data_dir / "database-url").read_text(),
        "WEBHOOK_SECRETS": WEBHOOK_SECRET,
        "API_TOKEN": "made-up-token-0123456789",
    }
    process = subprocess.Popen([sys.executable, "-m", module], env=environ, cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: answering_families(port))
        return answering_families(port)
    finally:
        process.terminate()
        process.wait(20)


def answering_families(port: int) -> list[str]:
    answering: list[str] = []
    for address in ("127.0.0.1", "[::1]"):
        try:
            ok = requests.get(f"http://{address}:{port}/healthz", timeout=5).ok
        except requests.ConnectionError:
            continue
        answering += [address] if ok else []
    return answering


def test_r23_a_body_that_is_too_large_is_reported_and_fits_a_larger_limit(demo: RunningSystem) -> None:
    phone = "919811000127"
    picture = base64.b64encode(os.urandom(900_000)).decode()
    event = {
        "event": "message.received",
        "sessionId": "11111111-2222-4333-8444-555555555555",
        "from": f"{phone}@s.whatsapp.net",
        "from_jid": f"{phone}@s.whatsapp.net",
        "messageId": "3EB0AA2301",
        "timestamp": 1734621000,
        "type": "imageMessage",
        "text": "",
        "caption": "the roof",
        "media": {"mimetype": "image/jpeg", "filename": "../../roof.jpg", "data": picture},
    }
    body = json.dumps(event).encode()
    refused = requests.post(demo.stack.webhook_url, data=body, headers=signed_headers(body), timeout=20)
    assert (refused.status_code, refused.json()["code"]) == (413, "body_too_large")
    wait_until(lambda: "MAX_BODY_BYTES" in examine(demo))

    with larger_limit(demo) as larger:
        assert larger.post_webhook(body, signed_headers(body)) == 200
        wait_until(lambda: phone in larger.chats_by_address())
        [shown] = larger.get_data(f"/api/chats/{phone}")["messages"]

        expected = {"message_type": "image", "caption": "the roof", "content_state": "media_missing"}
        assert expected.items() <= shown.items()
        assert shown["file_name"].rpartition("/")[2] == "roof.jpg"
        assert picture[:100] not in json.dumps(shown)
        wait_until(lambda: larger.get_data(f"/api/search?q=roof&address={phone}")["results"])
        assert larger.get_data(f"/api/search?q={picture[1000:1020]}&address={phone}")["results"] == []


def examine(system: RunningSystem) -> str:
    environ = {**os.environ, "DATA_DIR": str(system.stack.data_dir), "DATABASE_URL": "", "REDIS_URL": ""}
    command = [sys.executable, "-m", "store", "doctor"]
    return subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, check=False).stdout


@contextlib.contextmanager
def larger_limit(system: RunningSystem) -> Generator[RunningSystem]:
    """Return the same data with a larger MAX_BODY_BYTES."""
    system.stack.stop()
    with LocalStack(system.stack.data_dir, DEMO | {"MAX_BODY_BYTES": "16777216"}, ["--demo"]) as stack:
        yield RunningSystem(stack)
    system.stack.start()
