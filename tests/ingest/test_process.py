"""Tests the start and the end of the ingest process."""

import os
import socket
from pathlib import Path

import pytest

from tests.support.attacks.webhook_load import WebhookLoad
from tests.support.processes import preloaded_python
from tests.support.processes.ingest_process import (
    IngestProcess,
    encode_request,
    read_response,
    sign,
    stream_batches,
    stream_bodies,
)

WHOLE = encode_request(b"hello", f"X-Webhook-Signature: {sign(b'hello')}", "Content-Length: 5")


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"REDIS_URL": ""}, "REDIS_URL"),
        ({"REDIS_URL": "postgresql://x:private@y/z"}, "REDIS_URL"),
        ({"REDIS_URL": "redis+sentinel://host:private"}, "REDIS_URL"),
        ({"WEBHOOK_SECRETS": " , "}, "WEBHOOK_SECRETS"),
        ({"WEBHOOK_ALLOW_UNSIGNED": "perhaps"}, "WEBHOOK_ALLOW_UNSIGNED"),
        ({"MAX_BODY_BYTES": "1 MB"}, "MAX_BODY_BYTES"),
        ({"SPOOL_MAX_BYTES": "0"}, "SPOOL_MAX_BYTES"),
        ({"REDIS_MIN_REPLICAS": "-1"}, "REDIS_MIN_REPLICAS"),
        ({"INGEST_PORT": "http"}, "INGEST_PORT"),
        ({"SAK_FAILPOINT": "ingest.after_xadd:dance"}, "SAK_FAILPOINT"),
    ],
)
def test_it_refuses_to_start_with_a_sentence_that_names_the_variable(
    environment: dict[str, str], named: str, tmp_path: Path
) -> None:
    """An operator should see one line, without a traceback and without a password."""
    complete = {"REDIS_URL": "redis://localhost", "WEBHOOK_SECRETS": "private", "DATA_DIR": str(tmp_path)}
    ended = preloaded_python.run(
        "ingest", environment={"PATH": os.environ["PATH"], "INGEST_PORT": "0"} | complete | environment
    )

    assert ended.returncode == 2
    assert ended.stderr.startswith("ingest: ")
    assert named in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert "private" not in ended.stderr


def test_a_port_in_use_is_named_in_the_error(tmp_path: Path) -> None:
    """This is the most common reason for a failed start."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        environment = {"REDIS_URL": "redis://localhost", "WEBHOOK_SECRETS": "x", "DATA_DIR": str(tmp_path)}
        ended = preloaded_python.run("ingest", environment=environment | {"PORT": port})

    assert ended.returncode == 2
    assert f"Cannot listen on 0.0.0.0:{port}" in ended.stderr


def test_sigterm_under_load_loses_no_event_and_exits_with_zero(redis_url: str, tmp_path: Path) -> None:
    """Deployments happen during business hours.

    The supervisor owns the socket, so clients wait for the next process.
    """
    with IngestProcess(redis_url, tmp_path) as ingest:
        with WebhookLoad(ingest) as load:
            codes: list[int] = []
            for _ in range(3):
                load.wait_for(50)
                codes.append(ingest.stop())
                ingest.start()
        ingest.stop()

    assert codes == [0, 0, 0]
    assert sorted(stream_bodies(redis_url)) == sorted(load.acknowledged)
    assert load.failures == []


def test_a_request_that_arrives_at_shutdown_is_answered(own_ingest: IngestProcess) -> None:
    """A sender keeps its connection open, and a request at the moment of shutdown must be answered."""
    with own_ingest.connect() as connection:
        connection.sendall(WHOLE)
        assert read_response(connection).startswith(b"HTTP/1.1 200 ")
        own_ingest.process.terminate()
        connection.sendall(WHOLE)

        assert read_response(connection).startswith(b"HTTP/1.1 200 ")
        assert own_ingest.process.wait(20) == 0


def test_half_open_connections_do_not_delay_the_shutdown(own_ingest: IngestProcess) -> None:
    """The supervisor kills a process that does not end, and a stranger must not be able to cause that."""
    with own_ingest.connect() as head, own_ingest.connect() as body:
        head.sendall(WHOLE[:30])
        body.sendall(WHOLE[:-1])
        own_ingest.get("/healthz")

        assert own_ingest.stop() == 0


@pytest.mark.parametrize("place", ["ingest.before_xadd", "ingest.after_xadd", "ingest.before_spool"])
def test_a_kill_before_the_answer_loses_no_acknowledged_event(place: str, redis_url: str, tmp_path: Path) -> None:
    """The fault injection ends the process at these points. This test shows that they are reached."""
    url = redis_url if place != "ingest.before_spool" else "redis://127.0.0.1:1"
    with IngestProcess(url, tmp_path, SAK_FAILPOINT=f"{place}:kill@2") as ingest:
        answers = [ingest.post_webhook(b"%d" % number).status for number in range(2)]
        with pytest.raises(OSError, match=r"closed connection|reset"):
            ingest.post_webhook(b"2")
        assert ingest.process.wait(20) == -9

    assert answers == [200, 200]
    if url == redis_url:
        assert stream_bodies(redis_url)[:2] == [b"0", b"1"]
        assert len(stream_batches(redis_url)) == (3 if place == "ingest.after_xadd" else 2)
