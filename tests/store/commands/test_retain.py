"""`python -m store retain`: counts, deletes with --yes, and continues after it was killed."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from store import __main__ as store
from tests.support.generated_history import batches
from tests.support.history.faulty_parsers import parse_correctly
from tests.support.history.replaying import fetch_rows, store_batches, text_event
from tests.support.history.retention_scenario import NOW_TIME, OLD_TIME, message_at, receive
from tests.support.project import documentation

MANY = 4_000


def run(database_url: str, *arguments: str) -> int:
    return store.main(["retain", *arguments], {"DATABASE_URL": database_url})


def test_without_yes_it_only_counts(database_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The operator sees the counts before years of messages are deleted."""
    receive(database_url, message_at(OLD_TIME, "one"), message_at(NOW_TIME, "two", 2))
    store_batches(database_url, [batches.make_batch([(text_event("three", 3), OLD_TIME)])], parse_correctly)

    assert run(database_url, "--raw", "90d", "--messages", "2y") == 0
    printed = capsys.readouterr().out
    size = len(text_event("three", 3))
    assert "1 bodies of 0.0 MB, the first received 20" in printed
    assert "2 messages in 1 chats, the first of 20" in printed
    assert printed.endswith("nothing was deleted: add --yes\n")
    assert fetch_rows(database_url, "SELECT count(*) FROM raw_events") == [(3,)]
    assert fetch_rows(database_url, "SELECT count(*) FROM whatsapp_messages") == [(3,)]

    assert run(database_url, "--raw", "90d", "--messages", "2y", "--yes", "--json") == 0
    done = json.loads(capsys.readouterr().out)
    assert done == {"messages": 2, "updates": 0, "sends": 0, "bodies": 1, "bytes": size, "dropped": [], "busy": []}


def test_the_documented_commands_work(database_url: str) -> None:
    """Operators put the commands of docs/keeping.md into a crontab."""
    receive(database_url, message_at(OLD_TIME, "one"), message_at(NOW_TIME, "two", 2), received_at=OLD_TIME)
    lines = documentation.tested_commands("docs/keeping.md", "tests/store/commands/test_retain.py")
    environment = os.environ | {"DATABASE_URL": database_url}

    subprocess.run(
        ["/bin/sh", "-ec", lines], cwd=documentation.ROOT, env=environment, check=True, stdout=subprocess.DEVNULL
    )

    assert fetch_rows(database_url, "SELECT count(*) FROM raw_events") == [(0,)]
    assert fetch_rows(database_url, "SELECT count(*) FROM whatsapp_messages") == [(0,)]


@pytest.mark.parametrize("arguments", [[], ["--yes"], ["--parked"]])
def test_an_age_is_required(database_url: str, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """No default suits everybody, and a wrong one deletes data."""
    assert run(database_url, *arguments) == 2
    assert "give an age with --raw, --messages or both" in capsys.readouterr().err


def test_a_bad_age_is_refused(database_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A bad age is refused before the database is read."""
    with pytest.raises(SystemExit) as ended:
        run(database_url, "--raw", "90", "--yes")

    assert ended.value.code == 2
    assert "'90' is not an age: write a number of days, weeks, months or years, such as 90d" in capsys.readouterr().err


@pytest.mark.long
def test_a_killed_run_can_be_repeated(database_url: str) -> None:
    """A reboot in the middle leaves a consistent history."""
    many(database_url)
    command = [sys.executable, "-m", "store", "retain", "--raw", "90d", "--messages", "2y", "--yes"]
    environment = {**os.environ, "DATABASE_URL": database_url}
    for table in ("whatsapp_messages", "raw_events"):
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while count(database_url, table) > MANY * 3 // 4 and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert whole(database_url)

    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)

    assert whole(database_url)
    assert fetch_rows(database_url, "SELECT message_text FROM whatsapp_messages") == [("new",)]
    assert fetch_rows(database_url, "SELECT count(*) FROM raw_events") == [(1,)]
    assert fetch_rows(database_url, "SELECT count(*) FROM message_keys WHERE has_pruned_sources AND has_tombstone") == [
        (MANY,)
    ]
    assert fetch_rows(database_url, "SELECT count(*) FROM event_digests") == [(MANY + 1,)]


def many(database_url: str) -> None:
    """Store MANY old messages with their events, and a new one."""
    receive(database_url, message_at(NOW_TIME, "new", 9))
    fetch_rows(
        database_url,
        """
        INSERT INTO message_keys (session_number, message_id)
        SELECT k.session_number, 'OLD' || n FROM message_keys AS k, generate_series(1, %s) AS n
        """,
        MANY,
    )
    fetch_rows(
        database_url,
        """
        INSERT INTO whatsapp_messages (
            key_id, chat_id, session_id, message_id, direction, message_type, content_state, timestamp, time_source,
            receive_order, content_rank, content_time, content_tie, unread
        )
        SELECT k.key_id, m.chat_id, m.session_id, k.message_id, m.direction, m.message_type, m.content_state,
            %s + k.key_id, m.time_source, m.receive_order, m.content_rank, m.content_time, k.key_id, true
        FROM whatsapp_messages AS m, message_keys AS k
        WHERE k.message_id LIKE 'OLD%%'
        """,
        OLD_TIME,
    )
    fetch_rows(database_url, "UPDATE chats SET unread = unread + %s", MANY)
    fetch_rows(
        database_url,
        """
        INSERT INTO raw_events (digest, received_at, key_id, body)
        SELECT sha256(k.message_id::bytea), %s + k.key_id, k.key_id, '{}' FROM message_keys AS k
            WHERE k.message_id LIKE 'OLD%%'
        """,
        OLD_TIME,
    )
    fetch_rows(
        database_url,
        "INSERT INTO event_digests (digest, received_at, outcome) SELECT digest, received_at, 'stored' FROM raw_events"
        " ON CONFLICT DO NOTHING",
    )


def count(database_url: str, table: str) -> int:
    return int(str(fetch_rows(database_url, f"SELECT count(*) FROM {table}")[0][0]))


def whole(database_url: str) -> bool:
    """Return whether every deleted message and event left its tombstone or mark and the counts agree."""
    unread = fetch_rows(database_url, "SELECT sum(c.unread) = (SELECT count(*) FROM whatsapp_messages) FROM chats AS c")
    noted = fetch_rows(
        database_url,
        """
        SELECT count(*)
        FROM message_keys AS k
        WHERE NOT k.has_tombstone AND NOT EXISTS (SELECT FROM whatsapp_messages AS m WHERE m.key_id = k.key_id)
            OR NOT k.has_pruned_sources AND NOT EXISTS (SELECT FROM raw_events AS e WHERE e.key_id = k.key_id)
        """,
    )
    return (unread, noted) == ([(True,)], [(0,)])
