"""Tests that webhooks signed with an unknown secret are kept, and stored once the secret is added."""

import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from ingest.quarantine.quarantine_file import FILE_NAME, QuarantineFile, UnverifiedWebhook
from tests.support.processes.ingest_process import IngestProcess, sign, stream_batches, stream_bodies
from tests.support.waiting import wait_until

NEW_SECRET = "another-secret-made-up-for-tests"


def post(ingest: IngestProcess, bodies: Sequence[bytes], secret: str = NEW_SECRET) -> list[int]:
    return [ingest.post_webhook(body, {"X-Webhook-Signature": sign(body, secret)}).status for body in bodies]


def kept(folder: Path) -> list[bytes]:
    path = folder / "spool" / FILE_NAME
    return [one.body for one in QuarantineFile(path).read(0, 1000)]


def test_a_secret_that_is_added_later_stores_what_it_signed_in_order(redis_url: str, tmp_path: Path) -> None:
    """Between the registration of a webhook and the configuration of ingest, SAK sends each event only once."""
    bodies = [b"event %d" % number for number in range(40)]
    secrets = tmp_path / "secrets"
    with IngestProcess(redis_url, tmp_path, WEBHOOK_SECRETS_FILE=str(secrets)) as ingest:
        refused = post(ingest, bodies)
        post(ingest, [b"a stranger's"], "guessed")
        wait_until(lambda: len(kept(tmp_path)) == 41)
        secrets.write_text(f"{NEW_SECRET}\n")
        wait_until(lambda: stream_bodies(redis_url) == bodies)
        accepted = post(ingest, [b"signed by the new one"])
        wait_until(lambda: kept(tmp_path) == [b"a stranger's"])

        assert ingest.read_metric("sak_quarantine_recovered_events_total") == 40

    assert (refused, accepted) == ([401] * 40, [200])
    assert (tmp_path / "spool" / FILE_NAME).stat().st_mode & 0o777 == 0o600


def test_the_file_of_an_earlier_release_becomes_private_and_a_link_is_not_followed(tmp_path: Path) -> None:
    """Its mode was determined by the umask."""
    (tmp_path / "old").touch(0o666)
    (tmp_path / "link").symlink_to(tmp_path / "old")

    with pytest.raises(OSError, match="symbolic links"):
        QuarantineFile(tmp_path / "link").size()
    assert QuarantineFile(tmp_path / "old").size() == (0, 0)
    assert (tmp_path / "old").stat().st_mode & 0o777 == 0o600


def test_what_is_stored_later_keeps_its_receipt(redis_url: str, tmp_path: Path) -> None:
    """The receipt determines the order of messages without a time, and whether they preceded an erasure."""
    secrets = tmp_path / "secrets"
    with IngestProcess(redis_url, tmp_path, WEBHOOK_SECRETS_FILE=str(secrets)) as ingest:
        began = time.time_ns() // 1_000_000
        post(ingest, [b"one", b"two"])
        ended = time.time_ns() // 1_000_000
        wait_until(lambda: len(kept(tmp_path)) == 2)
        ingest.post_webhook(b"three")
        secrets.write_text(f"{NEW_SECRET}\n")
        wait_until(lambda: len(stream_bodies(redis_url)) == 3)
        ingest.post_webhook(b"four")
    receipts = {
        body: received_at
        for batch in stream_batches(redis_url)
        for body, received_at in zip(batch.bodies, batch.received_at, strict=True)
    }

    assert sorted(receipts, key=lambda body: receipts[body]) == [b"one", b"two", b"three", b"four"]
    assert began <= receipts[b"one"] < receipts[b"two"] <= ended + 1


def test_what_was_kept_is_verified_when_ingest_starts(redis_url: str, tmp_path: Path) -> None:
    """Most operators restart ingest after a change of secrets, which discards the memory."""
    with IngestProcess(redis_url, tmp_path) as ingest:
        post(ingest, [b"one", b"two"])
        assert ingest.stop() == 0
    with IngestProcess(redis_url, tmp_path, WEBHOOK_SECRETS=f"old,{NEW_SECRET}"):
        wait_until(lambda: stream_bodies(redis_url) == [b"one", b"two"])
        wait_until(lambda: kept(tmp_path) == [])


@pytest.mark.parametrize(
    ("content", "accepted"),
    [
        (f"WEBHOOK_SECRETS={NEW_SECRET},x", 200),
        (f"\ufeffAPI_PORT=3001\r\nWEBHOOK_SECRETS='y,{NEW_SECRET}'\r\n", 200),
        (f"WEBHOOK_SECRETS='y','{NEW_SECRET}'", 401),
        (f"y,{NEW_SECRET}", 200),
        (f"y==\n{NEW_SECRET}\n", 200),
        ("API_PORT=3001\n", 401),
    ],
)
def test_the_file_is_like_env_or_holds_nothing_but_secrets(
    redis_url: str, tmp_path: Path, content: str, accepted: int
) -> None:
    secrets = tmp_path / "mounted"
    secrets.write_text(content, encoding="utf-8")
    with IngestProcess(redis_url, tmp_path, WEBHOOK_SECRETS_FILE=str(secrets)) as ingest:
        assert post(ingest, [b"x"]) == [accepted]


def test_a_secret_that_is_removed_from_the_file_signs_no_longer(redis_url: str, tmp_path: Path) -> None:
    """Removing a leaked secret revokes it. An unreadable file revokes nothing."""
    secrets = tmp_path / "secrets"
    secrets.write_text(f"{NEW_SECRET},z")
    with IngestProcess(redis_url, tmp_path, WEBHOOK_SECRETS_FILE=str(secrets)) as ingest:
        secrets.write_bytes(b"\xff\xfe")
        wait_until(lambda: "the secrets were not reloaded" in ingest.log)
        unreadable = post(ingest, [b"x"])
        secrets.write_text("z")
        wait_until(lambda: post(ingest, [b"y"]) == [401])

    assert unreadable == [200]


def test_strangers_without_a_signature_leave_no_trace(redis_url: str, tmp_path: Path) -> None:
    with IngestProcess(redis_url, tmp_path) as ingest:
        answers = [ingest.post_webhook(b"x", headers).status for headers in ({}, {"X-Webhook-Signature": "sha256=no"})]
        time.sleep(0)
        assert ingest.stop() == 0

    assert answers == [401, 401]
    assert kept(tmp_path) == []


def test_what_is_kept_is_bounded_in_bytes_and_rate(redis_url: str, tmp_path: Path) -> None:
    """Anybody can send invalid signatures, which must not fill the disk or the memory."""
    with IngestProcess(redis_url, tmp_path, QUARANTINE_MAX_BYTES="250000") as ingest:
        for _ in range(30):
            post(ingest, [b"x" * 1_000_000], "guessed")
        wait_until(lambda: ingest.read_metric('sak_quarantine_dropped_events_total{reason="full"}') > 0)
        post(ingest, [b"x" * 100_000, b"y" * 100_000], "guessed")
        rate = ingest.read_metric('sak_quarantine_dropped_events_total{reason="rate"}')
        wait_until(lambda: ingest.read_metric("sak_quarantine_events") <= 2)
        size = ingest.read_metric("sak_quarantine_bytes")

    assert rate >= 1
    assert size <= 250_000


def test_what_is_old_is_deleted(tmp_path: Path) -> None:
    file = QuarantineFile(tmp_path / FILE_NAME)
    file.add([UnverifiedWebhook(1_000, b"s", b"old"), UnverifiedWebhook(2_000, b"s", b"new")], 1_000)
    file.remove_older(2_000)

    assert [one.body for one in file.read(0, 10)] == [b"new"]
    assert b"old" not in (tmp_path / FILE_NAME).read_bytes()


def test_a_damaged_file_stops_no_webhook(redis_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    folder.mkdir()
    (folder / FILE_NAME).write_bytes(b"no database" * 1000)
    with IngestProcess(redis_url, tmp_path) as ingest:
        refused = post(ingest, [b"x"])
        accepted = ingest.post_webhook(b"y").status
        wait_until(lambda: "the quarantine cannot be used" in ingest.log)

    with pytest.raises(sqlite3.DatabaseError):
        kept(tmp_path)
    assert (refused, accepted) == ([401], 200)
