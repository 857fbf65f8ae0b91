"""Tests the id of a request in its response and in the log."""

import json
import os
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from api.http.request_log import MAX_REJECTED_A_SECOND, RequestLog
from dev.embedded.child_process import wait_until
from dev.supervisor import listeners
from tests.support.history.history_writer import API_TOKEN
from tests.support.processes import preloaded_python
from tests.support.processes.preloaded_python import PreloadedProcess


def test_a_refusal_carries_the_id_of_its_log_line(database_url: str, tmp_path: Path) -> None:
    """A user reports the id.

    The log line with it has route, status and time, but no path, because paths identify people.
    """
    with listeners.open_listener("127.0.0.1", 0, "API_PORT") as listener:
        number = listener.fileno()
        environment = {"DATABASE_URL": database_url, "API_TOKEN": API_TOKEN, "LISTEN_FD": str(number)}
        url = f"http://127.0.0.1:{listeners.port_of(listener)}/api/chats/919811000007?limit=0"
        with PreloadedProcess("api", environment, tmp_path / "api.log", pass_fds=(number,)) as api:
            request = urllib.request.Request(url, headers={"Authorization": f"Bearer {API_TOKEN}"})
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(request, timeout=20)
            name = refused.value.headers["X-Request-Id"]
            refused.value.close()
            assert wait_until(lambda: name in api.output, 10)
            (said,) = [json.loads(each) for each in api.output.splitlines() if name in each]

    assert (said["endpoint"], said["status"], said["method"]) == ("list_messages", 400, "GET")
    assert "919811000007" not in api.output


def test_only_some_of_many_rejected_requests_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A stranger could fill the disk of the log."""
    caplog.set_level("INFO")
    responses = RequestLog()
    for _ in range(5 * MAX_REJECTED_A_SECOND):
        responses.log_response("GET", "none", 404, 0.0)
    responses.log_response("GET", "none", 500, 0.0)

    # The clock may begin a second or two meanwhile.
    assert caplog.messages.count("request rejected") in range(MAX_REJECTED_A_SECOND, 3 * MAX_REJECTED_A_SECOND + 1)
    assert caplog.messages[-1] == "request failed"


def test_an_unavailable_log_ends_the_process_with_a_sentence() -> None:
    for module in ("ingest", "worker", "api"):
        environment = {"LOG_LEVEL": "LOUD", "PATH": os.environ["PATH"]}
        done = preloaded_python.run(module, environment=environment)

        assert done.returncode == 2
        assert done.stderr.startswith(f"{module}: LOG_LEVEL must be one of"), done.stderr
