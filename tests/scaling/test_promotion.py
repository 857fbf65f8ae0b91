"""PostgreSQL's primary dies for good while events flow, and its standby is promoted."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from dev.chaos import ledger_command, verdict
from dev.embedded.postgres import Postgres
from store.feed import timelines
from store.postgres import connections, migrator
from tests.api.conftest import serving
from tests.end_to_end.conftest import eventually
from tests.support import replication
from tests.support.fleet import Fleet
from tests.support.history_writer import PHONE, TOKEN, Client, History, message


@pytest.fixture
def primary(folder: Path) -> Iterator[Postgres]:
    with replication.primary(folder) as server:
        migrator.migrate(server.url)
        yield server


@pytest.fixture
def standby(primary: Postgres, folder: Path) -> Iterator[Postgres]:
    with replication.standby(primary, folder / "standby") as server:
        yield server


def named(url: str) -> Client:
    http = requests.Session()
    http.headers["authorization"] = f"Bearer {TOKEN}"
    return Client(url, http)


@pytest.mark.long
def test_with_a_synchronous_standby_a_promotion_costs_nothing(
    primary: Postgres, standby: Postgres, redis_url: str, folder: Path
) -> None:
    """Ingest does not know PostgreSQL; workers find the new primary by a URL that names both; the ledger is exact."""
    replication.wait_for_commits(primary)
    url = replication.both(primary, standby)
    with Fleet(folder, url, redis_url, judged_at=standby.url, ingests=2, workers=2) as fleet:
        with fleet.sender(161, 40) as one, fleet.sender(162, 40, ingest=1) as two:
            assert fleet.until(lambda: verdict.kept_events(primary.url) > 60), fleet.said
            [(epoch,)] = replication.ask(primary, "SELECT epoch FROM epoch")
            primary.kill()
            fleet.wait(1.0)
            replication.promote(standby)
            more = verdict.kept_events(standby.url) + 60
            assert fleet.until(lambda: verdict.kept_events(standby.url) > more), fleet.said

        assert not (wrong := fleet.trouble(one.record, two.record)), wrong
        assert replication.ask(standby, "SELECT epoch FROM epoch") != [(epoch,)], "a worker noticed"
        assert all(program.starts == 1 for program in fleet.programs), fleet.said


@pytest.mark.long
def test_without_one_the_ledger_names_what_the_dead_primary_took_along(
    primary: Postgres, standby: Postgres, redis_url: str, folder: Path
) -> None:
    """What was committed and not replicated is in no stream any more; the next event of its writer gives it away."""
    url = replication.both(primary, standby)
    with Fleet(folder, url, redis_url, judged_at=standby.url) as fleet:
        with fleet.sender(163, 40) as early:
            assert fleet.until(lambda: verdict.kept_events(standby.url) > 40), fleet.said
        assert fleet.until(lambda: verdict.kept_events(standby.url) == len(early.record.acknowledged)), fleet.said
        standby.stop()
        with fleet.sender(164, 40) as gone:
            eventually(lambda: len(gone.record.acknowledged) >= 10)
        taken = len(early.record.acknowledged) + len(gone.record.acknowledged)
        assert fleet.until(lambda: verdict.kept_events(primary.url) == taken), fleet.said
        primary.kill()
        standby.start()
        replication.promote(standby)
        with fleet.sender(165, 40) as late:
            eventually(lambda: len(late.record.acknowledged) >= 10)

        def told() -> int:
            return sum(gap["events"] for gap in ledger_of(standby).get("lost", ()))

        assert fleet.until(lambda: told() == len(gone.record.acknowledged), 60), ledger_of(standby)
        found = verdict.judge(standby.url, [*early.record.acknowledged, *late.record.acknowledged])
        assert (found.missing, found.doubled, found.foreign, found.wrong) == (0, 0, 0, []), found


def ledger_of(server: Postgres) -> dict[str, Any]:
    return ledger_command.ask(server.url)[1]


def test_a_reader_of_the_feed_learns_that_another_server_was_promoted(primary: Postgres, standby: Postgres) -> None:
    """The new primary gives out numbers again that the old one used: a cursor into those would skip what they mean."""
    history = History(primary.url)
    history.tell(message("before", id="A"))
    with connections.open(primary.url, "test") as connection:
        timelines.look(connection)
    eventually(lambda: replication.ask(standby, "SELECT timeline FROM epoch") == [("00000001",)])
    environ = {"DATABASE_URL": replication.both(primary, standby), "API_TOKEN": TOKEN}
    with serving(environ) as url:
        client = named(url)
        page = client.data(f"/api/chats/{PHONE}")
        replication.ask(standby, "SELECT pg_wal_replay_pause()")
        for number in range(5):
            history.tell(message("known only to the dead", number, id=f"D{number}"))
        cursor = client.data("/api/changes")["cursor"]
        primary.kill()
        replication.ask(standby, "SELECT pg_wal_replay_resume()")
        replication.promote(standby)
        with connections.open(environ["DATABASE_URL"], "worker") as connection:
            timelines.look(connection)
            timelines.look(connection)

        answer = client.get("/api/changes", since=cursor)
        assert (answer.status_code, answer.json()["code"]) == (410, "epoch_changed")
        marked = client.post(f"/api/chats/{PHONE}/read", {"as_of": page["as_of"]})
        assert (marked.status_code, marked.json()["code"]) == (410, "epoch_changed")
        again = client.data("/api/changes")["cursor"]
        History(standby.url).tell(message("after", 9, id="Z"))
        eventually(lambda: bool(client.data("/api/changes", since=again)["changes"]))


def test_a_replica_that_was_left_behind_on_the_old_timeline_is_not_read_from(
    primary: Postgres, standby: Postgres, folder: Path
) -> None:
    """It shows what never was, as far as the rest of the world knows, and by its log it is even ahead."""
    history = History(primary.url)
    with connections.open(primary.url, "test") as connection:
        timelines.look(connection)
    history.tell(message("common", id="A"))
    with replication.standby(primary, folder / "left") as left:
        shown = "SELECT count(*) FROM whatsapp_messages"
        eventually(lambda: replication.ask(standby, shown) == [(1,)])
        standby.stop()
        history.tell(message("known only to the dead", 1, id="B"))
        eventually(lambda: replication.ask(left, shown) == [(2,)])
        primary.kill()
        standby.start()
        replication.promote(standby)
        with connections.open(standby.url, "test") as connection:
            timelines.look(connection)
        environ = {"DATABASE_URL": standby.url, "READ_DATABASE_URL": left.url, "API_TOKEN": TOKEN}
        with serving(environ) as url:
            client = named(url)
            eventually(lambda: "newest life" in client.get("/readyz").json()["replica"]["reason"])
            data = client.data(f"/api/chats/{PHONE}")

    assert [one["message_text"] for one in data["messages"]] == ["common"]
