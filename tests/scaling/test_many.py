"""Tests several processes of every kind on one PostgreSQL and one Redis, which need no knowledge of each other."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests

from dev.embedded.managed_process import ManagedProcess
from dev.embedded.valkey import EmbeddedValkey
from dev.supervisor import listeners
from tests.support.history import ledger_counts
from tests.support.history.history_writer import API_TOKEN
from tests.support.processes.fleet import ProcessFleet


class Follower:
    """A reader of the feed that uses another api process each time, and continues elsewhere if one is down."""

    def __init__(self, urls: list[str]) -> None:
        self._urls = urls
        self._turn = 0
        self._cursor: str | None = None
        self.told: dict[int, int] = {}
        """The newest rev of each message, by its number."""
        self.answers = 0

    def look(self) -> bool:
        """Read new changes, and return whether there was a response."""
        self._turn += 1
        url = self._urls[self._turn % len(self._urls)]
        try:
            data = self._get(url)
        except requests.ConnectionError:
            return False
        self._cursor = data["cursor"]
        for change in data["changes"]:
            if change["message"] is not None:
                number, rev = change["message"]["id"], change["rev"]
                self.told[number] = max(rev, self.told.get(number, 0))
        self.answers += 1
        return True

    def _get(self, url: str) -> Any:  # noqa: ANN401 - JSON
        query = {"limit": "500"} | ({"since": self._cursor} if self._cursor else {})
        answer = requests.get(
            f"{url}/api/changes", params=query, headers={"authorization": f"Bearer {API_TOKEN}"}, timeout=20
        )
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]


@pytest.fixture
def valkey(server_folder: Path) -> Iterator[EmbeddedValkey]:
    with EmbeddedValkey(server_folder / "valkey") as running:
        yield running


@pytest.mark.long
@pytest.mark.timeout(300)
def test_processes_of_every_kind_are_killed_and_each_event_is_counted_once(
    valkey: EmbeddedValkey, database_url: str, server_folder: Path
) -> None:
    """Any of them may die at any time. The others continue, and readers of the feed miss and repeat nothing."""
    dice = random.Random(171)
    with (
        ProcessFleet(server_folder, database_url, valkey.url, ingests=3, workers=3) as fleet,
        listeners.open_listener("127.0.0.1", 0, "API_PORT") as one,
        listeners.open_listener("127.0.0.1", 0, "API_PORT") as two,
    ):
        apis: list[ManagedProcess] = []
        for number, listener in enumerate((one, two)):
            descriptor = listener.fileno()
            environment = {"DATABASE_URL": database_url, "API_TOKEN": API_TOKEN, "LISTEN_FD": str(descriptor)}
            apis.append(ManagedProcess("api", environment, server_folder / f"api-{number}.log", pass_fds=[descriptor]))
        with apis[0], apis[1]:
            follower = Follower([f"http://127.0.0.1:{listeners.port_of(listener)}" for listener in (one, two)])
            assert fleet.wait_until(follower.look), apis[0].output
            # The gateway may deliver the same event to two of them.
            spooled = 0.0
            senders = [
                fleet.create_sender(171, 30),
                fleet.create_sender(171, 30, ingest=1),
                fleet.create_sender(172, 30, ingest=2),
            ]
            with senders[0], senders[1], senders[2]:
                for step in range(9):
                    victim = dice.choice([*fleet.processes, *apis])
                    victim.kill()
                    if step == 4:
                        valkey.kill()
                        fleet.wait(1.0)
                        spooled = fleet.count_spooled_events()
                        fleet.ingests[0].kill()
                        valkey.start()
                    fleet.wait(0.7)
                    for api in apis:
                        api.restart_if_ended()
                    follower.look()

            assert spooled > 0
            assert fleet.wait_until(lambda: fleet.count_spooled_events() == 0), fleet.output
            assert not (wrong := fleet.find_problems(*(sender.deliveries for sender in senders))), wrong
            assert len(senders[0].deliveries.acknowledged) > 50

            def caught_up() -> bool:
                with psycopg.connect(database_url) as database:
                    there = database.execute("SELECT id, rev FROM whatsapp_messages WHERE NOT is_duplicate").fetchall()
                for api in apis:
                    api.restart_if_ended()
                follower.look()
                return dict(there) == follower.told

            assert fleet.wait_until(caught_up), (len(follower.told), follower.answers)
            assert ledger_counts.count_events(database_url) >= sum(
                len(sender.deliveries.acknowledged) for sender in senders
            )
