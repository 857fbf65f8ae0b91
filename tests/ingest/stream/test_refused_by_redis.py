"""Tests that the spool takes an event if Redis refuses, answers late or not at all, and that no event is sent twice."""

import threading
import time
from pathlib import Path
from typing import cast
from urllib.parse import unquote, urlsplit

import pytest
import redis

from dev.embedded.valkey import EmbeddedValkey
from tests.support.attacks.webhook_load import WebhookLoad
from tests.support.processes.ingest_process import IngestProcess, stream_batches, stream_bodies
from tests.support.servers.fake_redis import blackholing_proxy, fake_redis
from tests.support.waiting import wait_until

ERRORS = {
    "oom": b"-OOM command not allowed when used memory > 'maxmemory'.\r\n",
    "readonly": b"-READONLY You can't write against a read only replica.\r\n",
    "loading": b"-LOADING Redis is loading the dataset in memory\r\n",
    "misconf": b"-MISCONF Errors writing to the AOF file: No space left on device\r\n",
    "busy": b"-BUSY Redis is busy running a script.\r\n",
    "noauth": b"-NOAUTH Authentication required.\r\n",
    "noperm": b"-NOPERM this user has no permissions to run the 'xadd' command\r\n",
    "noreplicas": b"-NOREPLICAS Not enough good replicas to write.\r\n",
    "masterdown": b"-MASTERDOWN Link with MASTER is down.\r\n",
    "refused": b"-ERR something nobody has heard of\r\n",
}


@pytest.mark.parametrize("reason", list(ERRORS))
def test_every_error_of_redis_sends_the_batch_to_the_spool(tmp_path: Path, reason: str) -> None:
    """All of these end by themselves or with an operator's help, and do not concern the sender."""

    def answer(word: bytes) -> bytes:
        return b"+OK\r\n" if word in {b"CLIENT", b"MULTI"} else ERRORS[reason]

    with fake_redis(answer) as url, IngestProcess(url, tmp_path) as ingest:
        answers = [ingest.post_webhook(b"x") for _ in range(3)]

        assert [(one.status, one.json["path"]) for one in answers] == [(200, "spool")] * 3
        assert ingest.read_metric(f'sak_ingest_unconfirmed_batches_total{{reason="{reason}"}}') >= 1
        assert ingest.get("/readyz").json["redis"]["refusal"] == reason


def test_a_silent_redis_delays_one_batch_by_one_deadline(tmp_path: Path) -> None:
    """A hanging Redis is worse than a dead one, because without a breaker every sender would wait for it."""

    def silence(word: bytes) -> bytes | None:
        return b"+OK\r\n" if word == b"CLIENT" else None

    with fake_redis(silence) as url, IngestProcess(url, tmp_path) as ingest:
        first = ingest.post_webhook(b"first")
        begun = time.monotonic()
        others = [ingest.post_webhook(b"%d" % number) for number in range(100)]
        taken = time.monotonic() - begun

    assert first.json["path"] == "spool"
    assert {one.json["path"] for one in others} == {"spool"}
    # The exact time does not matter: a hundred deadlines would take a hundred seconds.
    assert taken < 20


def test_a_lost_reply_stores_a_copy_under_the_same_identity(own_valkey: EmbeddedValkey, tmp_path: Path) -> None:
    """The write arrived, but its reply was lost. redis-py by itself would have sent it eleven times."""
    swallow = threading.Event()
    with (
        blackholing_proxy(unquote(urlsplit(own_valkey.url).path), swallow) as url,
        IngestProcess(url, tmp_path) as ingest,
    ):
        ingest.post_webhook(b"before")
        swallow.set()
        answer = ingest.post_webhook(b"once")
        sent = sum(batch.bodies == (b"once",) for batch in stream_batches(own_valkey.url))
        swallow.clear()
        wait_until(lambda: ingest.read_metric("sak_spool_events") == 0)

    assert answer.json["path"] == "spool"
    assert sent == 1
    assert stream_bodies(own_valkey.url) == [b"before", b"once"]
    assert sum(batch.bodies == (b"once",) for batch in stream_batches(own_valkey.url)) == 2


def test_a_redis_that_fills_up_keeps_room_and_gets_the_rest_later(
    own_valkey: EmbeddedValkey, client: redis.Redis, tmp_path: Path
) -> None:
    """At maxmemory, workers could not remove entries either, so Redis would stay full.

    Therefore ingest stops earlier.
    """
    limit = 16 << 20
    client.config_set("maxmemory", limit)  # pyright: ignore[reportUnknownMemberType] - **kwargs
    with IngestProcess(own_valkey.url, tmp_path) as ingest:
        answers = [ingest.post_webhook(b"%d" % number + b"x" * 100_000) for number in range(200)]
        wait_until(lambda: any("nearly full" in note for note in ingest.get("/readyz").json["notes"]))
        used = cast("int", client.info("memory")["used_memory"])  # pyright: ignore[reportUnknownMemberType] - **kwargs
        refusal = ingest.read_metric('sak_ingest_unconfirmed_batches_total{reason="oom"}')
        arrived = stream_batches(own_valkey.url, delete=True)
        while ingest.read_metric("sak_spool_events"):
            arrived += stream_batches(own_valkey.url, delete=True)
            time.sleep(0.05)
        arrived += stream_batches(own_valkey.url, delete=True)

    assert {one.status for one in answers} == {200}
    assert {one.json["path"] for one in answers} == {"stream", "spool"}
    assert 0.3 * limit < used < 0.9 * limit
    assert refusal == 0
    assert len({body for batch in arrived for body in batch.bodies}) == 200


def test_a_second_load_on_a_dead_redis_is_acknowledged_from_the_spool(
    own_valkey: EmbeddedValkey, tmp_path: Path
) -> None:
    """A long outage must not slow senders down. The measured time is printed."""
    with IngestProcess(own_valkey.url, tmp_path) as ingest:
        own_valkey.kill()
        ingest.post_webhook(b"notices")
        with WebhookLoad(ingest, clients=4) as load:
            load.wait_for(100)
    ordered = sorted(load.latencies)
    print(f"{len(ordered)} acknowledged without Redis, p99 {ordered[int(len(ordered) * 0.99)] * 1000:.1f} ms")

    assert load.failures == []
