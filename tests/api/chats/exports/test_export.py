"""Tests exports of a chat or a session."""

import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest
import requests

from api.chats.exports import export as chats_export
from api.chats.exports import export_slots
from dev.checkout import ROOT
from dev.embedded.child_process import wait_until
from dev.supervisor import listeners
from store.model.facts import Delete, Edit
from store.reading.export import ExportPeriod, ExportSnapshot
from tests.support.history.history_writer import (
    API_TOKEN,
    BASE_TIME,
    SENDER_LID,
    SENDER_PHONE,
    ApiClient,
    HistoryWriter,
    alias_fact,
    message_fact,
    name_fact,
)

MANY = 100_000
FILL = """
INSERT INTO chats (session_id, address, kind, last_timestamp) VALUES ('s1', '919811000001', 'phone', 1);
INSERT INTO whatsapp_messages (message_id, session_id, direction, message_type, message_text, timestamp, key_id,
    chat_id, time_source, receive_order, content_state, content_rank, content_time, content_tie, unread)
SELECT 'M' || i, 's1', 'incoming', 'text', 'message ' || i, 1700000000000 + i, i, c.chat_id, 'message', i, 'complete',
    1, 1, 1, false
FROM generate_series(1, 100000) AS i, chats AS c;
INSERT INTO chats (session_id, address, kind, last_timestamp) VALUES ('s1', '919811000002', 'phone', 1);
"""
EXPORTING = "SELECT state FROM pg_stat_activity WHERE application_name = 'api export'"
GROWTH = 24
"""The memory in MiB that an export may use. The file is more than twice as large."""


def test_an_export_is_the_whole_chat_and_ends_with_its_manifest(history: HistoryWriter, client: ApiClient) -> None:
    """A truncated file must not be mistaken for a complete one."""
    history.store(*(message_fact(f"{index}", index) for index in range(1100)))

    answer = client.get(f"/api/chats/{SENDER_PHONE}/export")

    *lines, last = answer.text.splitlines(keepends=True)
    manifest = json.loads(last)["manifest"]
    assert [json.loads(line)["message_text"] for line in lines] == [f"{index}" for index in range(1100)]
    assert manifest == {"count": 1100, "sha256": hashlib.sha256("".join(lines).encode()).hexdigest()}


def test_a_session_is_exported_chat_by_chat(history: HistoryWriter, client: ApiClient) -> None:
    """Merged addresses are one chat, and other sessions are not included."""
    history.store(
        message_fact("a"),
        message_fact("b", 1, address="919811000002"),
        message_fact("c", 2, address=SENDER_LID),
        alias_fact(),
    )
    history.store(message_fact("other"), name_fact("x"), session="s2")

    answer = client.get("/api/sessions/s1/export")

    assert [json.loads(line).get("message_text") for line in answer.text.splitlines()] == ["a", "c", "b", None]


def test_an_export_has_the_messages_of_a_period_and_a_descriptive_file_name(
    history: HistoryWriter, client: ApiClient
) -> None:
    """Names are valid on every system, and the date is in the reader's calendar."""
    history.store(*(message_fact(f"{index}", index * 1000) for index in range(4)), name_fact("../Rávi: “A/B”"))

    answer = client.get(
        f"/api/chats/{SENDER_PHONE}/export", since=BASE_TIME + 1000, until=BASE_TIME + 3000, zone="Asia/Kolkata"
    )
    session = client.get("/api/sessions/s1/export", since=BASE_TIME + 3000)

    day = datetime.now(ZoneInfo("Asia/Kolkata")).strftime("%Y-%m-%d")
    name = quote(f"Rávi “A B” {day}")
    assert [json.loads(line).get("message_text") for line in answer.text.splitlines()] == ["1", "2", None]
    assert answer.headers["content-disposition"] == (
        f"attachment; filename=\"{SENDER_PHONE} {day}.ndjson\"; filename*=UTF-8''{name}.ndjson"
    )
    assert [json.loads(line).get("message_text") for line in session.text.splitlines()] == ["3", None]


@pytest.mark.parametrize(
    "path",
    [
        f"/api/chats/{SENDER_PHONE}/export?format=exe",
        f"/api/chats/{SENDER_PHONE}/export?zone=IST",
        "/api/chats/x/export",
    ],
)
def test_an_impossible_export_is_refused_in_the_envelope(client: ApiClient, path: str) -> None:
    """The error is returned before the first byte of the export."""
    assert client.get(path).status_code == 400


def test_an_export_shows_one_snapshot(history: HistoryWriter, database_url: str) -> None:
    """A message that is moved or edited during an export appears once, as it was when the export began."""
    history.store(*(message_fact(f"{index}", index, id=f"M{index}") for index in range(1200)))
    history.store(message_fact("as a LID", 2000, address=SENDER_LID))
    snapshot = ExportSnapshot(database_url)
    try:
        pages = snapshot.session_messages("s1", ExportPeriod())
        told = list(next(pages).messages)
        history.store(
            message_fact("late", 1100), message_fact("new", 5000), message_fact("new chat", address="919811000009")
        )
        history.store(Edit("M1100", SENDER_PHONE, "incoming", None, "edited", BASE_TIME + 9000), alias_fact())
        history.store(Delete("M1101", SENDER_PHONE, "incoming", None, BASE_TIME + 9000))
        told += [text for page in pages for text in page.messages]
    finally:
        snapshot.close()

    assert [json.loads(text)["message_text"] for text in told] == [*(f"{index}" for index in range(1200)), "as a LID"]


def test_an_export_leaves_nothing_open(history: HistoryWriter, client: ApiClient) -> None:
    """An open snapshot would block vacuum, and an export slot that is not released would be lost.

    A busy api may notice a closed connection so late that the next export is refused.
    """
    history.store(message_fact("hello"))
    path = f"/api/chats/{SENDER_PHONE}/export"
    for _ in range(2 * export_slots.MAX_CONCURRENT_EXPORTS):
        assert wait_until(lambda: client.get(path).status_code == 200, 20)
        client.http.get(f"{client.url}{path}", stream=True, timeout=30).close()
    client.http.close()

    assert wait_until(lambda: client.get("/api/sessions/s1/export").status_code == 200, 20)
    # It is closed after the last byte, which may be shortly after we received it.
    deadline = time.monotonic() + 20
    while (left := history.rows(EXPORTING)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == []


@pytest.mark.long
def test_no_more_exports_than_there_are_connections_for(history: HistoryWriter, client: ApiClient) -> None:
    """A client that starts a hundred exports must not block all other clients."""
    history.execute(FILL)
    url = f"{client.url}/api/chats/{SENDER_PHONE}/export"
    plain = {"accept-encoding": "identity"}
    reading = [
        client.http.get(url, stream=True, timeout=30, headers=plain) for _ in range(export_slots.MAX_EXPORTS_OF_CALLER)
    ]

    refused = client.get(f"/api/chats/{SENDER_PHONE}/export")

    assert [answer.status_code for answer in reading] == [200] * export_slots.MAX_EXPORTS_OF_CALLER
    assert (refused.status_code, refused.json()["code"]) == (503, "too_many_exports")
    assert client.get("/api/chats").status_code == 200
    for answer in reading:
        answer.close()


@pytest.mark.long
def test_a_client_that_stops_reading_frees_its_export_slot(
    history: HistoryWriter, client: ApiClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Otherwise, four clients that stop reading would occupy all export slots for ever."""
    monkeypatch.setattr(chats_export, "SEND_TIMEOUT_SECONDS", 0.5)
    history.execute(FILL)
    url = f"{client.url}/api/chats/{SENDER_PHONE}/export"
    plain = {"accept-encoding": "identity"}  # a compressed response would fit into the buffers of the connection
    asleep = [
        client.http.get(url, stream=True, timeout=30, headers=plain) for _ in range(export_slots.MAX_EXPORTS_OF_CALLER)
    ]
    cut_short = "ASGI callable returned without completing response."
    # A client that is read before the server closes its connection would not count as stopped.
    assert wait_until(lambda: caplog.messages.count(cut_short) == export_slots.MAX_EXPORTS_OF_CALLER, 30)

    assert client.get("/api/chats/919811000002/export").status_code == 200
    for answer in asleep:
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            len(answer.content)


@pytest.fixture
def process(database_url: str) -> Iterator[tuple[int, str]]:
    """Return the process id and URL of an api in its own process."""
    port = listeners.free_port("127.0.0.1", 0, "PORT")
    environ = {"DATABASE_URL": database_url, "API_TOKEN": API_TOKEN, "HOST": "127.0.0.1", "PORT": str(port)}
    with subprocess.Popen([sys.executable, "-m", "api"], env={**os.environ, **environ}, cwd=ROOT) as started:
        try:
            url = f"http://127.0.0.1:{port}"
            for _ in range(200):
                try:
                    requests.get(f"{url}/healthz", timeout=1)
                    break
                except requests.ConnectionError:
                    time.sleep(0.1)
            yield started.pid, url
        finally:
            started.terminate()


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("kind", ["ndjson", "csv", "txt", "xlsx"])
def test_an_export_takes_the_same_memory_however_long_it_is(
    history: HistoryWriter, process: tuple[int, str], kind: str
) -> None:
    """The smallest machine must be able to export the largest chat, even to a slow reader."""
    pid, url = process
    history.execute(FILL)
    headers = {"authorization": f"Bearer {API_TOKEN}"}

    def export(address: str) -> tuple[int, bytes]:
        size, end = 0, b""
        where = f"{url}/api/chats/{address}/export?format={kind}"
        with requests.get(where, headers=headers, stream=True, timeout=280) as answer:
            for part in answer.iter_content(1 << 16):
                size, end = size + len(part), (end + part)[-200:]
        return size, end

    export("919811000002")
    before = peak(pid)
    size, end = export(SENDER_PHONE)
    grown = peak(pid) - before

    assert f'"count": {MANY}'.encode() in end or kind == "xlsx"
    assert kind != "ndjson" or size > 2 * GROWTH << 20
    assert grown < GROWTH


def peak(pid: int) -> float:
    """Return the peak memory of a process in MiB."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(encoding="utf-8"))
    assert found is not None
    return int(found[1]) / 1024
