"""Tests that ingest notices if Redis loses its newest events, and sends these events again."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import redis

from dev.chaos.faults.disk_shim import Faults
from dev.embedded.valkey import EmbeddedValkey
from tests.support.attacks.webhook_load import WebhookLoad
from tests.support.processes.ingest_process import IngestProcess, stream_bodies
from tests.support.servers.disk_faults import build_shim
from tests.support.servers.lost_data import DATA, lose_everything, wait_for_connections
from tests.support.servers.sentinels import free_port
from tests.support.stream.stream_commits import commit_all
from tests.support.waiting import wait_until


def resent(ingest: IngestProcess) -> float:
    return ingest.read_metric("sak_tail_resent_events_total")


def changes(ingest: IngestProcess) -> float:
    return ingest.read_metric("sak_redis_changes_total")


def test_a_redis_that_comes_back_empty_gets_the_newest_events_again(own_valkey: EmbeddedValkey, tmp_path: Path) -> None:
    """It does not wait for the next webhook, because at night there may be none for hours."""
    with IngestProcess(own_valkey.url, tmp_path) as ingest:
        for number in range(20):
            ingest.post_webhook(b"%d" % number)
        wait_for_connections(own_valkey)
        lose_everything(own_valkey)
        wait_until(lambda: len(stream_bodies(own_valkey.url)) == 20)
        path = ingest.post_webhook(b"20").json["path"]
        wait_until(lambda: len(stream_bodies(own_valkey.url)) == 21)

        assert sorted(stream_bodies(own_valkey.url), key=int) == [b"%d" % number for number in range(21)]
        assert path in {"stream", "spool"}
        assert resent(ingest) == 20
        assert changes(ingest) == 1


def test_a_redis_that_comes_back_older_gets_what_it_lacks(own_valkey: EmbeddedValkey, tmp_path: Path) -> None:
    """A snapshot of its disk is restored. Events that it still has are duplicated, and the worker skips the copies."""
    with IngestProcess(own_valkey.url, tmp_path) as ingest:
        ingest.post_webhook(b"before")
        own_valkey.kill()
        shutil.copytree(own_valkey.folder / DATA, tmp_path / "snapshot")
        own_valkey.start()
        wait_until(lambda: ingest.post_webhook(b"after").json["path"] == "stream")
        own_valkey.kill()
        shutil.rmtree(own_valkey.folder / DATA)
        shutil.copytree(tmp_path / "snapshot", own_valkey.folder / DATA)
        own_valkey.start()
        wait_until(lambda: set(stream_bodies(own_valkey.url)) == {b"before", b"after"})

        assert changes(ingest) == 2


def test_events_that_came_through_the_spool_are_remembered_as_well(own_valkey: EmbeddedValkey, tmp_path: Path) -> None:
    """Events drained from the spool are in Redis only, so the tail must contain them."""
    with IngestProcess(own_valkey.url, tmp_path) as ingest:
        own_valkey.kill()
        path = ingest.post_webhook(b"spooled").json["path"]
        own_valkey.start()
        wait_until(lambda: stream_bodies(own_valkey.url) == [b"spooled"])
        wait_until(lambda: ingest.read_metric("sak_spool_events") == 0)
        lose_everything(own_valkey)
        wait_until(lambda: stream_bodies(own_valkey.url) == [b"spooled"])

    assert path == "spool"


def test_events_wait_for_redis_for_longer_than_the_tail_is(own_valkey: EmbeddedValkey, tmp_path: Path) -> None:
    """The time is measured while Redis is available, because only then is it known what it still has."""
    with IngestProcess(own_valkey.url, tmp_path, TAIL_SECONDS="1") as ingest:
        ingest.post_webhook(b"x")
        own_valkey.kill()
        shutil.rmtree(own_valkey.folder / DATA)
        time.sleep(2.5)
        own_valkey.start()
        wait_until(lambda: stream_bodies(own_valkey.url) == [b"x"])


def test_events_that_redis_had_for_longer_than_the_tail_are_forgotten(
    own_valkey: EmbeddedValkey, tmp_path: Path
) -> None:
    """Expired batches are removed from memory and disk, because they contain messages."""
    with IngestProcess(own_valkey.url, tmp_path, TAIL_SECONDS="1") as ingest:
        ingest.post_webhook(b"a message")
        kept = any(b"a message" in path.read_bytes() for path in (tmp_path / "spool").glob("*.tail"))
        wait_until(lambda: ingest.read_metric("sak_tail_bytes") == 0)
        wait_until(lambda: not any(b"a message" in path.read_bytes() for path in (tmp_path / "spool").glob("*.tail")))
        lose_everything(own_valkey)
        wait_until(lambda: changes(ingest) == 1)

        assert kept
        assert resent(ingest) == 0


def test_a_redis_that_is_lost_again_and_again_gets_only_what_it_may_lack(
    own_valkey: EmbeddedValkey, client: redis.Redis, tmp_path: Path
) -> None:
    """Each loss restarts the waiting time. If stored events were not forgotten, they would be sent again for ever."""

    def is_forgotten() -> bool:
        commit_all(client)
        return ingest.read_metric("sak_tail_bytes") == 0

    with IngestProcess(own_valkey.url, tmp_path, TAIL_SECONDS="6") as ingest:
        ingest.post_webhook(b"x")
        began = time.monotonic()
        while time.monotonic() - began < 6:
            before = resent(ingest)
            lose_everything(own_valkey)
            wait_until(lambda: resent(ingest) > before)  # noqa: B023 - called at once
            time.sleep(0.5)
        wait_until(is_forgotten, seconds=5)
        before = resent(ingest)
        lose_everything(own_valkey)
        wait_until(lambda: ingest.post_webhook(b"y").json["path"] == "stream")

        assert resent(ingest) == before > 1


def test_a_new_connection_to_the_same_redis_sends_nothing_again(
    own_valkey: EmbeddedValkey, client: redis.Redis, tmp_path: Path
) -> None:
    """Networks fail more often than servers do."""
    with IngestProcess(own_valkey.url, tmp_path) as ingest:
        ingest.post_webhook(b"before")
        client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")  # pyright: ignore[reportUnknownMemberType]
        wait_until(lambda: ingest.post_webhook(b"after").json["path"] == "stream")

        assert (changes(ingest), resent(ingest)) == (0, 0)


def test_where_redis_hides_its_identity_every_new_connection_counts_as_another(
    own_valkey: EmbeddedValkey, client: redis.Redis, tmp_path: Path
) -> None:
    """A copy is harmless, while a missing event is lost. However, resending must end."""
    client.acl_setuser(  # pyright: ignore[reportUnknownMemberType] - **kwargs
        "sak", enabled=True, passwords=["+pw"], keys=["*"], commands=["+@all", "-info"]
    )
    with IngestProcess(own_valkey.url.replace("unix://", "unix://sak:pw@"), tmp_path) as ingest:
        for number in range(5):
            ingest.post_webhook(b"%d" % number)
        wait_for_connections(own_valkey)
        client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")  # pyright: ignore[reportUnknownMemberType]
        wait_until(lambda: resent(ingest) >= 5)
        wait_until(lambda: ingest.read_metric("sak_tail_due_events") == 0)
        at_rest = changes(ingest)
        for number in range(5):
            ingest.post_webhook(b"%d" % number)
        time.sleep(1)

        assert changes(ingest) == at_rest
        assert len(stream_bodies(own_valkey.url)) == 10


@pytest.fixture
def slow_valkey(server_folder: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[EmbeddedValkey]:
    """Return a Valkey with a disk that takes 0.8 s for a sync, like some network disks."""
    shim = build_shim(tmp_path, server_folder)
    environment = {**EmbeddedValkey.server_environment, **shim.environment}
    slow: type[EmbeddedValkey] = type("SlowValkey", (EmbeddedValkey,), {"server_environment": environment})
    with slow(server_folder / "valkey", settings={"appendfsync": request.param}) as server:
        shim.set(Faults(sync_seconds=0.8))
        yield server


@pytest.mark.parametrize(
    ("slow_valkey", "kills"),
    [
        ("everysec", 2),
        pytest.param("everysec", 30, marks=pytest.mark.long),
        *(pytest.param(s, 15, marks=pytest.mark.long) for s in ("always", "no")),
    ],
    indirect=["slow_valkey"],
)
@pytest.mark.timeout(400)
def test_a_redis_killed_on_a_slow_disk_costs_no_event(slow_valkey: EmbeddedValkey, tmp_path: Path, kills: int) -> None:
    """With `everysec`, the write to the file waits while a sync runs, and the reply does not.

    With `always`, each confirmation takes about as long as the maximum wait of senders, so nearly all events pass
    through the spool, which must empty anyway.
    """
    with IngestProcess(slow_valkey.url, tmp_path) as ingest:
        with WebhookLoad(ingest) as load:
            for number in range(kills):
                time.sleep(1.3 + number % 7 / 10)
                slow_valkey.kill()
                time.sleep(0.2)
                slow_valkey.start()
        waiting = ("sak_spool_events", "sak_tail_due_events")
        wait_until(lambda: sum(map(ingest.read_metric, waiting)) == 0, seconds=150)
        wait_until(lambda: set(load.acknowledged) <= set(stream_bodies(slow_valkey.url)))
        print(f"{kills} kills, {len(load.acknowledged)} acknowledged, {resent(ingest):.0f} sent again")

        assert load.failures == []
        assert sorted(stream_bodies(slow_valkey.url)) == sorted(load.acknowledged)


@pytest.mark.long
def test_a_replica_that_was_behind_gets_what_it_lacks(server_folder: Path, tmp_path: Path) -> None:
    """In a failover of a managed Redis, the same address leads to a replica that lacks the last seconds."""
    port = free_port()
    address = server_folder / "address"
    with (
        EmbeddedValkey(
            server_folder / "a", ephemeral=True, settings={"port": str(port), "bind": "127.0.0.1"}
        ) as primary,
        EmbeddedValkey(server_folder / "b", ephemeral=True) as replica,
        redis.Redis.from_url(replica.url) as connected,  # pyright: ignore[reportUnknownMemberType] - **kwargs
    ):
        connected.replicaof("127.0.0.1", str(port))  # pyright: ignore[reportUnknownMemberType] - **kwargs
        address.symlink_to(socket_of(primary))
        with IngestProcess(f"unix://{address}?db=0", tmp_path) as ingest:
            ingest.post_webhook(b"replicated")
            wait_until(lambda: stream_bodies(replica.url) == [b"replicated"])
            connected.replicaof("NO", "ONE")  # pyright: ignore[reportUnknownMemberType] - **kwargs
            with WebhookLoad(ingest) as load:
                time.sleep(2)
                address.unlink()
                address.symlink_to(socket_of(replica))
                primary.kill()
                time.sleep(1)
            wait_until(lambda: set(load.acknowledged) <= set(stream_bodies(replica.url)))

            assert load.failures == []
            assert resent(ingest) > 0


def socket_of(valkey: EmbeddedValkey) -> str:
    return unquote(urlsplit(valkey.url).path)
