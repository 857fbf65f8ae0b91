"""Tests Redis with replicas that must confirm an event, and with Sentinels that name the primary."""

import socket
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from dev.embedded import binaries
from dev.embedded.valkey import EmbeddedValkey
from tests.support.processes.ingest_process import IngestProcess, stream_bodies
from tests.support.waiting import wait_until


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def client_of(port: int) -> redis.Redis:
    return redis.Redis(host="127.0.0.1", port=port, socket_timeout=5)


@contextmanager
def server(server_folder: Path, port: int, **settings: str) -> Generator[EmbeddedValkey]:
    with EmbeddedValkey(
        server_folder / str(port), ephemeral=True, settings={"port": str(port), "bind": "127.0.0.1"} | settings
    ) as it:
        yield it


@pytest.mark.long
def test_an_event_is_acknowledged_by_the_spool_until_enough_replicas_have_it(
    server_folder: Path, tmp_path: Path
) -> None:
    """If a primary dies, events that only it has are lost. REDIS_MIN_REPLICAS guarantees that replicas have them."""
    first, second = free_port(), free_port()
    with (
        server(server_folder, first),
        IngestProcess(f"redis://127.0.0.1:{first}/0", tmp_path, REDIS_MIN_REPLICAS="1") as ingest,
    ):
        alone = ingest.post_webhook(b"alone")
        with server(server_folder, second, replicaof=f"127.0.0.1 {first}"):
            wait_until(lambda: ingest.read_metric("sak_spool_events") == 0)
            wait_until(lambda: ingest.post_webhook(b"together").json["path"] == "stream")
            there = stream_bodies(f"redis://127.0.0.1:{second}/0")
        wait_until(lambda: ingest.post_webhook(b"alone again").json["path"] == "spool")

    assert alone.json["path"] == "spool"
    assert there[0] == b"alone"
    assert there[-1] == b"together"


@pytest.mark.long
def test_a_sentinel_leads_to_the_new_primary_after_a_failover(server_folder: Path, tmp_path: Path) -> None:
    """The old primary still answers, read-only. A client that kept using its address would spool for ever."""
    first, second, watch = free_port(), free_port(), free_port()
    configuration = server_folder / "sentinel.conf"
    configuration.write_text(
        f"port {watch}\nbind 127.0.0.1\ndir {server_folder}\nsentinel monitor main 127.0.0.1 {first} 1\n"
        "sentinel down-after-milliseconds main 500\n"
    )
    with server(server_folder, first), server(server_folder, second, replicaof=f"127.0.0.1 {first}"):
        sentinel = subprocess.Popen(
            [binaries.find_valkey(), configuration, "--sentinel"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            observer = client_of(watch)
            wait_until(lambda: _replicas(observer) == 1)
            url = f"redis+sentinel://127.0.0.1:1,127.0.0.1:{watch}/main/0"
            with IngestProcess(url, tmp_path) as ingest:
                before = ingest.post_webhook(b"before")
                wait_until(lambda: b"before" in stream_bodies(f"redis://127.0.0.1:{second}/0"))
                observer.execute_command("SENTINEL FAILOVER main")  # pyright: ignore[reportUnknownMemberType] - *args
                posted: list[bytes] = []

                def arrives() -> bool:
                    posted.append(b"%d" % len(posted))
                    assert ingest.post_webhook(posted[-1]).status == 200
                    return posted[-1] in stream_bodies(f"redis://127.0.0.1:{second}/0")

                wait_until(arrives)
                wait_until(lambda: ingest.read_metric("sak_spool_events") == 0)
                there = stream_bodies(f"redis://127.0.0.1:{second}/0")
        finally:
            sentinel.kill()
            sentinel.wait()

    assert before.json["path"] == "stream"
    assert set(posted) <= set(there)


def _replicas(observer: redis.Redis) -> int:
    try:
        return len(observer.sentinel_slaves("main"))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
    except redis.RedisError:
        return 0
