"""Tests the responses of the api while PostgreSQL is unavailable or not migrated."""

from pathlib import Path

import pytest
import requests

from api.app import create_app
from dev.embedded.postgres import EmbeddedPostgres
from store.postgres import migrator
from telemetry.errors import SettingsError
from tests.support.history.history_writer import API_TOKEN, HistoryWriter, message_fact
from tests.support.processes.api_server import running_api
from tests.support.waiting import wait_until


def test_a_database_that_comes_and_goes_is_503_and_then_fine_again(server_folder: Path) -> None:
    """The API starts before its database, continues during restarts, and reports the state instead of failing."""
    headers = {"authorization": f"Bearer {API_TOKEN}"}
    postgres = EmbeddedPostgres(server_folder, ephemeral=True)
    with running_api({"DATABASE_URL": postgres.url, "API_TOKEN": API_TOKEN}) as url:
        away = requests.get(f"{url}/api/chats", headers=headers, timeout=30)
        unready = requests.get(f"{url}/readyz", timeout=30)
        with postgres:
            # A connection may have failed just before the server listened.
            wait_until(lambda: "migrations" in requests.get(f"{url}/readyz", timeout=30).json()["reasons"][0])
            behind = requests.get(f"{url}/readyz", timeout=30)
            migrator.migrate(postgres.url)
            HistoryWriter(postgres.url).store(message_fact())
            ready = requests.get(f"{url}/readyz", timeout=30)
            postgres.stop()
            postgres.start()
            again = requests.get(f"{url}/api/chats", headers=headers, timeout=30)

    assert (away.status_code, away.json()["code"]) == (503, "database_unavailable")
    assert int(away.headers["retry-after"]) > 0
    assert (unready.status_code, unready.json()["ready"]) == (503, False)
    assert behind.status_code == 503
    assert (ready.status_code, ready.json()) == (200, {"ready": True, "reasons": []})
    assert (again.status_code, len(again.json()["data"]["contacts"])) == (200, 1)


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"DATABASE_URL": "postgresql://x"}, "API_TOKEN"),
        ({"API_TOKEN": API_TOKEN, "DATA_DIR": "/nowhere"}, "DATABASE_URL"),
        ({"API_TOKEN": API_TOKEN, "DATABASE_URL": "postgresql://x", "API_CONNECTIONS": "many"}, "API_CONNECTIONS"),
    ],
)
def test_an_environment_that_lacks_something_is_refused_by_name(environ: dict[str, str], named: str) -> None:
    """An operator reads one sentence instead of a traceback."""
    with pytest.raises(SettingsError, match=named):
        create_app(environ)
