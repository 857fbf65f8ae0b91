"""Tests the names and colours that people give to sessions."""

from typing import Any

import pytest
import requests

from store.access import tokens
from store.accounts import joining
from store.model.facts import SessionReport
from store.postgres import connections
from tests.support.history.history_writer import BASE_TIME, ApiClient, HistoryWriter, message_fact

OUR_PHONE = "919800000000"


def rename(client: ApiClient, session_id: str, **fields: object) -> requests.Response:
    return client.http.patch(f"{client.url}/api/sessions/{session_id}", json=fields, timeout=30)


def listed(client: ApiClient) -> dict[str, Any]:
    sessions = client.get_data("/api/sessions")["sessions"]
    return {each["session_id"]: (each["display_name"], each["colour"]) for each in sessions}


def test_a_sessions_name_and_colour_are_in_the_change_feed(history: HistoryWriter, client: ApiClient) -> None:
    """Omitted fields stay unchanged, null removes a field, and the change is in the feed."""
    history.store(message_fact())
    history.store(message_fact(at=1), session="s2")
    since = client.current_cursor()
    first = rename(client, "s1", display_name="  Shop\n front ", colour="teal").json()["data"]
    rename(client, "s1", colour="red")

    assert (first["session_id"], first["display_name"], first["colour"], first["number"]) == (
        "s1",
        "Shop front",
        "teal",
        1,
    )
    assert listed(client) == {"s1": ("Shop front", "red"), "s2": (None, None)}
    told = client.get_data("/api/changes", since=since)["changes"]
    assert [(one["kind"], one["session_id"]) for one in told] == [("session", "s1")] * 2
    assert told[0]["rev"] > first["rev"] - 1
    rename(client, "s1", display_name=None)
    assert listed(client)["s1"] == (None, "red")


def test_a_session_lists_100_types_of_event_however_many_there_are(history: HistoryWriter, client: ApiClient) -> None:
    """A gateway chooses their names, and the dashboard reads the list often."""
    history.store(message_fact())
    history.execute(
        """
        INSERT INTO session_events (session_number, event, last_at)
        SELECT s.session_number, 'invented ' || n, n FROM sessions AS s, generate_series(1, 1000) AS n
        """
    )

    (session,) = client.get_data("/api/sessions")["sessions"]

    assert len(session["events"]) == 100
    assert {"message.received", "invented 1000"} <= session["events"].keys()


def test_the_sessions_of_an_account_have_one_name(history: HistoryWriter, client: ApiClient) -> None:
    """This includes a name that any of them had before they joined the account."""
    history.store(message_fact(), SessionReport("connected", OUR_PHONE, BASE_TIME), session="sak-1")
    history.store(message_fact(), SessionReport("connected", OUR_PHONE, BASE_TIME), session="shop:default")
    rename(client, "shop:default", display_name="Shop")
    with connections.open(history.database_url, "test") as connection:
        joining.join_due(connection)
    joined = listed(client)
    rename(client, "shop:default", colour="pink")

    assert joined == {"sak-1": ("Shop", None), "shop:default": ("Shop", None)}
    assert listed(client) == {"sak-1": ("Shop", "pink"), "shop:default": ("Shop", "pink")}
    rename(client, "sak-1", display_name="Desk")
    assert {name for name, _ in listed(client).values()} == {"Desk"}


def test_only_an_administrator_of_the_session_names_it(history: HistoryWriter, client: ApiClient) -> None:
    """The name is visible to everybody, and other sessions do not exist for a token."""
    history.store(message_fact())
    with connections.open(history.database_url, "test") as connection:
        writer = tokens.create(connection, "writer", ["read", "write"])
        other = tokens.create(connection, "other", ["read", "write", "admin"], session_ids=["s2"])

    def answer(token: str, session_id: str) -> tuple[int, str]:
        with requests.Session() as http:
            http.headers["authorization"] = f"Bearer {token}"
            refused = rename(ApiClient(client.url, http), session_id, display_name="Mine")
        return refused.status_code, refused.json()["code"]

    assert answer(writer, "s1") == (403, "scope_missing")
    assert answer(other, "s1") == (404, "session_not_found")
    assert rename(client, "nobody", display_name="Mine").json()["code"] == "session_not_found"
    assert listed(client) == {"s1": (None, None)}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"display_name": " \n"},
        {"display_name": "x" * 61},
        {"display_name": "\0"},
        {"display_name": 5},
        {"colour": "mud"},
    ],
)
def test_an_invalid_name_is_refused(history: HistoryWriter, client: ApiClient, fields: dict[str, object]) -> None:
    history.store(message_fact())

    assert rename(client, "s1", **fields).json()["code"] == "bad_parameter"
    assert listed(client) == {"s1": (None, None)}
