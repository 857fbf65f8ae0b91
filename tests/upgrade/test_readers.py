"""Tests the API of a release on the schema of this version, beside the API of this version."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dev.chaos.event_generator import EventGenerator
from dev.embedded.managed_process import ManagedProcess
from tests.support.processes import worker_http
from tests.support.processes.pipeline import WorkerPipeline
from tests.support.project.old_release import OldRelease

TOKEN = "made-up-for-tests"


def ask(api: ManagedProcess, path: str, body: bytes | None = None) -> dict[str, Any]:
    """Return the data of the response to GET, or to POST if there is a body."""
    url = f"http://127.0.0.1:{api.environment['API_PORT']}{path}"
    request = urllib.request.Request(url, body, {"Authorization": f"Bearer {TOKEN}"})
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)["data"]
    except urllib.error.HTTPError as error:
        with error:
            raise AssertionError(f"{path}: {error.code} {error.read().decode()}") from None


def started(pipeline: WorkerPipeline, api: ManagedProcess) -> ManagedProcess:
    api.start()
    assert pipeline.wait_until(lambda: worker_http.fetch(api, "/readyz")[0] == 200), api.output
    return api


@pytest.mark.long
def test_a_released_api_and_this_one_show_the_same(
    release: OldRelease, make_pipeline: Callable[..., WorkerPipeline], tmp_path: Path
) -> None:
    """During an upgrade, a reader may reach either API. Both show the same history, and both mark chats as read."""
    pipeline = make_pipeline()
    pipeline.feed.append_all(EventGenerator(94).take(200), events_per_batch=10)
    worker = pipeline.create_worker().start()
    assert pipeline.wait_until_drained(), worker.output
    ports = [worker_http.free_port() for _ in range(2)]
    listening = [{"API_TOKEN": TOKEN, "API_PORT": port, "WORKER_PORT": port} for port in ports]
    settings = {"DATABASE_URL": pipeline.database_url, "DATA_DIR": str(tmp_path)}
    with (
        started(pipeline, release.create_api(pipeline, tmp_path, **listening[0])) as old,
        started(pipeline, ManagedProcess("api", settings | listening[1], tmp_path / "api.log")) as new,
    ):
        chats = [ask(api, "/api/chats?limit=500")["contacts"] for api in (old, new)]
        for chat in chats[1]:  # 1.0.0 also counted answered messages as unread
            chat["unread_count"] = chat["unmarked_count"]
        chat_fields = ("address", "name", "unread_count", "last_message_at", "phone_number")
        shown = [[{name: chat[name] for name in chat_fields} for chat in page] for page in chats]
        assert shown[0] == shown[1]
        assert len(shown[0]) > 10
        unread = [chat["address"] for chat in chats[0] if chat["unread_count"]]
        for address in unread[:5]:
            pages_of = [ask(api, f"/api/chats/{address}?limit=500") for api in (old, new)]
            fields = ("message_id", "message_text", "direction", "status", "timestamp")
            texts = [[{name: message[name] for name in fields} for message in page["messages"]] for page in pages_of]
            assert texts[0] == texts[1] != []
            marked = pages_of[0]
            up_to = {"up_to": marked["messages"][-1]["message_id"], "as_of": marked["as_of"]}
            assert ask(new, f"/api/chats/{address}/read", json.dumps(up_to).encode())["unread_count"] == 0
            assert ask(old, f"/api/chats/{address}/read", b"{}")["unread_count"] == 0
        cursor = ask(old, "/api/changes")["cursor"]
        pipeline.feed.append_all(EventGenerator(95).take(20), events_per_batch=10)
        assert pipeline.wait_until_drained(), worker.output
        assert ask(old, f"/api/changes?since={cursor}")["changes"]
        assert ask(new, f"/api/changes?since={cursor}")["changes"]
        assert ask(old, "/api/ledger")["stored"] == ask(new, "/api/ledger")["stored"]
