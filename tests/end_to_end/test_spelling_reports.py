"""Tests reports about search, erasure and exports through every process, as started by `./run`."""

import json
import os
import re
import urllib.parse
from typing import Any

import pytest
import requests

from dev.checkout import ROOT
from tests.support.processes import preloaded_python
from tests.support.processes.running_system import RunningSystem, message_webhook, signed_headers
from tests.support.waiting import wait_until

REPORTS = {
    path.name[:3]: json.loads(path.read_text(encoding="utf-8"))
    for path in (ROOT / "tests" / "payloads" / "reports").glob("*.json")
}
CODES = ["Order no. PO-88/2231-X please", "the part is NOR.0707-60", "our order KT INS114 DRE"]


def webhooks(report: str) -> list[bytes]:
    steps = [step for step in REPORTS[report]["steps"] if step["kind"] == "webhook"]
    return [step["raw_text"].encode() if "raw_text" in step else json.dumps(step["body"]).encode() for step in steps]


def post(system: RunningSystem, bodies: list[bytes]) -> None:
    for body in bodies:
        assert system.post_webhook(body, signed_headers(body)) == 200


def search(system: RunningSystem, query: str, phone: str) -> list[str]:
    """Return the texts of the exact matches in a chat, once everything is indexed."""
    found: dict[str, Any] = {}

    def is_complete() -> bool:
        found.update(system.get_data(f"/api/search?q={query}&address={phone}"))
        return bool(found["complete"])

    wait_until(is_complete)
    return [] if found["fuzzy"] else [message["message_text"] for message in found["results"]]


def fetch(system: RunningSystem, path: str, **headers: str) -> str:
    headers["Authorization"] = f"Bearer {system.stack.token}"
    response = requests.get(system.stack.api_url + path, headers=headers, timeout=20)
    assert response.ok, response.text
    return response.content.decode()


def run_store(system: RunningSystem, *arguments: str) -> str:
    environ = {**os.environ, "DATA_DIR": str(system.stack.data_dir), "DATABASE_URL": ""}
    done = preloaded_python.run("store", *arguments, environment=environ)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_r13_digits_of_any_script_are_found(system: RunningSystem) -> None:
    bodies, phone = webhooks("R13"), "919811000120"
    texts = [json.loads(body)["text"] for body in bodies]
    post(system, bodies)
    wait_until(lambda: system.message_texts(phone) == texts)

    queries = [step["path"].partition("q=")[2] for step in REPORTS["R13"]["steps"] if step["kind"] == "api"]

    assert [search(system, query, phone) for query in queries] == [[text] for text in texts]


@pytest.mark.parametrize(
    ("number", "queries"),
    [
        (0, ["PO88", "po-88", "PO 88", "PO882231X", "2231X", "88/2231"]),
        (1, ["NOR070760", "nor 0707 60"]),
        (2, ["KT-INS114", "KTINS114DRE"]),
        (None, ["PO99"]),
    ],
)
def test_r28_codes_are_found_in_any_spelling(system: RunningSystem, number: int | None, queries: list[str]) -> None:
    phone = "919811000130"
    post(system, [message_webhook(phone, n, text) for n, text in enumerate(CODES)])
    wait_until(lambda: system.message_texts(phone) == CODES)

    for query in queries:
        expected = [] if number is None else [CODES[number]]
        assert search(system, urllib.parse.quote(query, safe=""), phone) == expected, query


def test_r15_no_reader_of_lines_breaks(system: RunningSystem) -> None:
    before = system.get_data("/api/changes")["cursor"]
    post(system, webhooks("R15"))
    wait_until(lambda: "919811000122" in system.chats_by_address())

    changes = fetch(system, f"/api/changes?since={before}")
    stream = read_stream(system, before)
    exported = [fetch(system, f"/api/chats/919811000122/export?format={kind}") for kind in ("ndjson", "txt")]

    assert len(changes.splitlines()) == 1
    assert [json.loads(line[6:]) for line in stream.splitlines() if line.startswith("data: ")]
    assert all(json.loads(line) for line in exported[0].splitlines())
    message, manifest = exported[1].splitlines()
    assert re.match(r"\[[0-9-]{10} [0-9:]{8}\] <- 919811000122: one", message)
    assert manifest.startswith("-- {")


def read_stream(system: RunningSystem, last_id: str) -> str:
    """Read the stream from a position until an event has arrived."""
    headers = {"Authorization": f"Bearer {system.stack.token}", "Last-Event-ID": last_id}
    received = b""
    with requests.get(f"{system.stack.api_url}/api/stream", headers=headers, stream=True, timeout=20) as response:
        for chunk in response.iter_content(None):
            received += chunk
            if b"data: " in received and received.endswith(b"\n\n"):
                break
    return received.decode()


def test_r21_an_erasure_finds_numbers_with_no_break_spaces(system: RunningSystem) -> None:
    bodies = webhooks("R21")
    post(system, bodies)
    wait_until(lambda: "919811000126" in system.chats_by_address() and len(raw_bodies(system, bodies)) == len(bodies))

    counted = run_store(system, "forget", "+91 98110 00126")
    run_store(system, "forget", "+91 98110 00126", "--yes")

    assert re.search(r"^ +4 raw bodies$", counted, re.MULTILINE)
    assert raw_bodies(system, bodies) == []
    assert "3EB0AA2103" not in fetch(system, "/api/parked?limit=100")
    assert system.message_texts("919811000125") == [json.loads(body)["text"] for body in bodies[:2]]
    assert "919811000126" not in system.chats_by_address()


def raw_bodies(system: RunningSystem, bodies: list[bytes]) -> list[str]:
    """Return those of the bodies that are stored."""
    printed = run_store(system, "raw", "--json", "--last", "1000")
    wanted = {body.decode() for body in bodies}
    return [event["body"] for event in map(json.loads, printed.splitlines()) if event["body"] in wanted]
