"""Tests that the tail needs no files while Redis replies only after its sync, and is in files at the first doubt."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TypeAlias

import pytest
import redis

from dev.embedded.valkey import EmbeddedValkey
from ingest.tail.redis_durability import PROOF, is_synced_before_reply
from tests.support.attacks.webhook_load import WebhookLoad
from tests.support.processes.ingest_process import IngestProcess, stream_bodies
from tests.support.servers.lost_data import lose_everything, wait_for_connections
from tests.support.servers.sentinels import free_port
from tests.support.servers.server_folder import temporary_server_folder
from tests.support.stream.tail_files import adopt
from tests.support.waiting import wait_until

Doubt: TypeAlias = Callable[[redis.Redis, ExitStack], object]
SETTINGS = {"appendonly", "appendfsync", "no-appendfsync-on-rewrite"}


@pytest.fixture
def valkey(server_folder: Path) -> Iterator[EmbeddedValkey]:
    """A Valkey that replies only after its sync."""
    with EmbeddedValkey(server_folder / "valkey", settings={"port": str(free_port()), "bind": "127.0.0.1"}) as running:
        yield running


def wait_for_proof(ingest: IngestProcess, valkey: EmbeddedValkey) -> None:
    """Return when ingest trusts the replies of Redis. A new connection would end that."""
    ingest.post_webhook(b"first")
    wait_for_connections(valkey)
    wait_until(lambda: is_trusted(ingest))


def is_trusted(ingest: IngestProcess) -> bool:
    """Return false also where a sync of Redis has just taken too long."""
    return ingest.read_metric("sak_tail_proven_by_redis") == 1


def is_in_files(body: bytes, home: Path) -> bool:
    return any(body in path.read_bytes() for path in (home / "spool").glob("*.tail"))


def test_every_fact_is_needed() -> None:
    """A Redis that hides a fact, or is not known to this version, is trusted as little as one that lacks it."""
    settings = {name: value for name, value in PROOF.items() if name in SETTINGS}
    facts: dict[str, object] = {name: int(value) if value.isdecimal() else value for name, value in PROOF.items()}
    others = [facts | {name: "another"} for name in PROOF]
    lesser = [{each: value for each, value in facts.items() if each != name} for name in PROOF]

    assert is_synced_before_reply(settings, facts, {})
    assert not any(is_synced_before_reply({}, one, {}) for one in others + lesser)
    assert not is_synced_before_reply(settings, facts, redis.ResponseError("unknown command"))


def test_events_that_redis_has_synced_are_in_no_file_and_outlive_both(valkey: EmbeddedValkey, tmp_path: Path) -> None:
    """A second copy of each event on a disk would cost time for nothing."""
    with IngestProcess(valkey.url, tmp_path) as ingest:
        wait_for_proof(ingest, valkey)
        with WebhookLoad(ingest) as load:
            load.wait_for(100)
            written = [body for body in load.acknowledged[:100] if is_in_files(body, tmp_path)]
            trusted = is_trusted(ingest)
            valkey.kill()
            ingest.kill()
        valkey.start()
        ingest.start()
        wait_until(lambda: set(load.acknowledged) <= set(stream_bodies(valkey.url)))
        bodies = stream_bodies(valkey.url)

        assert not (written and trusted)
        assert len(bodies) == len(set(bodies))


def test_an_emptied_redis_gets_the_newest_events_from_memory(valkey: EmbeddedValkey, tmp_path: Path) -> None:
    """A sync helps nothing if somebody deletes the file or restores an older one."""
    with IngestProcess(valkey.url, tmp_path) as ingest:
        wait_for_proof(ingest, valkey)
        for number in range(20):
            ingest.post_webhook(b"%d" % number)
        lose_everything(valkey)
        wait_until(lambda: len(stream_bodies(valkey.url)) == 21)

        assert ingest.read_metric("sak_tail_resent_events_total") == 21


def sync_every_second(client: redis.Redis, _: ExitStack) -> None:
    client.config_set("appendfsync", "everysec")  # pyright: ignore[reportUnknownMemberType] - **kwargs


def skip_syncs_while_rewriting(client: redis.Redis, _: ExitStack) -> None:
    client.config_set("no-appendfsync-on-rewrite", "yes")  # pyright: ignore[reportUnknownMemberType] - **kwargs


def forbid_config(client: redis.Redis, _: ExitStack) -> None:
    client.acl_setuser("sak", commands=["-config"])  # pyright: ignore[reportUnknownMemberType] - **kwargs


def attach_replica(client: redis.Redis, stack: ExitStack) -> None:
    folder = stack.enter_context(temporary_server_folder())
    port = client.config_get("port")["port"]  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    stack.enter_context(EmbeddedValkey(folder / "replica", ephemeral=True, settings={"replicaof": f"127.0.0.1 {port}"}))


@pytest.mark.parametrize(
    "doubt",
    [
        sync_every_second,
        *(pytest.param(one, marks=pytest.mark.long) for one in (skip_syncs_while_rewriting, forbid_config)),
        attach_replica,
    ],
)
def test_at_the_first_doubt_older_and_newer_events_are_written(
    valkey: EmbeddedValkey, tmp_path: Path, doubt: Doubt
) -> None:
    """An administrator may change everything while ingest runs."""
    url = valkey.url.replace("unix://", "unix://sak:pw@")
    with ExitStack() as stack, redis.Redis.from_url(valkey.url) as client:  # pyright: ignore[reportUnknownMemberType] - **kwargs
        client.acl_setuser(  # pyright: ignore[reportUnknownMemberType] - **kwargs
            "sak", enabled=True, passwords=["+pw"], keys=["*"], commands=["+@all"]
        )
        ingest = stack.enter_context(IngestProcess(url, tmp_path, TAIL_SECONDS="60"))
        wait_for_proof(ingest, valkey)
        ingest.post_webhook(b"earlier")
        was_written = is_in_files(b"earlier", tmp_path) and is_trusted(ingest)
        doubt(client, stack)
        wait_until(lambda: is_in_files(b"earlier", tmp_path))
        ingest.post_webhook(b"later")
        ingest.kill()
        bodies = [group.entries[0][b"bodies"] for file in adopt(tmp_path / "spool") for group in file.read()[1]]

    assert not was_written
    assert bodies == [b"first", b"earlier", b"later"]


@pytest.mark.parametrize("end", ["of Redis", "of ingest"])
def test_events_only_in_memory_are_written_before_the_memory_is_needed(
    valkey: EmbeddedValkey, tmp_path: Path, end: str
) -> None:
    """Redis may come back with an older disk, also during a deployment of ingest."""
    with IngestProcess(valkey.url, tmp_path) as ingest:
        wait_for_proof(ingest, valkey)
        ingest.post_webhook(b"a message")
        was_written = is_in_files(b"a message", tmp_path) and is_trusted(ingest)
        valkey.kill() if end == "of Redis" else ingest.stop()
        wait_until(lambda: is_in_files(b"a message", tmp_path))

    assert not was_written
