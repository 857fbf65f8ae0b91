"""Tests statistics, the ledger, sessions and parked events over HTTP."""

import hashlib
import zoneinfo

import pytest

from api.http import time_zones
from store.ingestion import apply
from store.ledger import acceptance
from store.ledger.losses import LOST_AFTER, BatchRange
from store.model.batches import Batch, Event
from store.model.facts import Outcome, SessionReport
from store.postgres import connections
from tests.support.history.history_writer import (
    BASE_TIME,
    SENDER_LID,
    SENDER_PHONE,
    ApiClient,
    HistoryWriter,
    alias_fact,
    message_fact,
)
from tests.support.history.ledger_scene import LedgerScene


def test_messages_are_counted_per_day_in_the_readers_time_zone(history: HistoryWriter, client: ApiClient) -> None:
    """A day in India ends at 18:30 UTC."""
    evening = 3 * 3_600_000 + 30 * 60_000
    history.store(message_fact(), message_fact(at=evening), message_fact(at=evening + 1000, direction="outgoing"))

    data = client.get_data(
        "/api/stats", since=BASE_TIME - 86_400_000, until=BASE_TIME + 86_400_000, zone="Asia/Kolkata"
    )

    assert data["messages"] == [
        {"begins": "2025-06-14T18:30:00Z", "session_id": "s1", "incoming": 1, "outgoing": 0},
        {"begins": "2025-06-15T18:30:00Z", "session_id": "s1", "incoming": 1, "outgoing": 1},
    ]


def test_weeks_begin_on_the_readers_monday(history: HistoryWriter, client: ApiClient) -> None:
    """It is still Sunday in London, and already Monday in India."""
    history.store(message_fact(), message_fact(at=3 * 3_600_000 + 30 * 60_000))

    data = client.get_data(
        "/api/stats", since=BASE_TIME, until=BASE_TIME + 86_400_000, zone="Asia/Kolkata", step="week"
    )

    assert [step["begins"] for step in data["messages"]] == ["2025-06-08T18:30:00Z", "2025-06-15T18:30:00Z"]
    assert [step["begins"] for step in data["first_responses"]["by_step"]] == ["2025-06-08T18:30:00Z"]


def test_a_response_time_runs_from_the_first_question_to_the_first_answer(
    history: HistoryWriter, client: ApiClient
) -> None:
    """A contact who writes twice has waited since the first message."""
    history.store(message_fact(), message_fact(at=5_000), message_fact(at=60_000, direction="outgoing"))
    history.store(message_fact(at=100_000), message_fact(at=130_000, direction="outgoing"), message_fact(at=140_000))

    data = client.get_data("/api/stats", since=BASE_TIME, until=BASE_TIME + 3_600_000, step="hour")

    counted = {"asked": 3, "answered": 2, "median_seconds": 45, "p90_seconds": 57}
    assert data["first_responses"] == {
        **counted,
        "by_step": [{"begins": "2025-06-15T15:00:00Z", **counted}],
        "by_session": [{"session_id": "s1", **counted}],
    }
    assert data["waiting"]["chats"] == 1
    assert data["waiting"]["by_session"] == [
        {"session_id": "s1", "chats": 1, "waiting_since": "2025-06-15T15:09:00.000Z"}
    ]
    assert data["waiting"]["longest"][0]["address"] == SENDER_PHONE
    assert data["unread"] == {"messages": 1, "chats": 1}, "what came after the last answer"


@pytest.mark.parametrize(
    "query",
    [
        {"zone": "Mars/Base"},
        {"zone": "'"},
        {"step": "fortnight"},
        {"since": "then"},
        {"since": "2"},
        {"since": "5", "until": "1"},
    ],
)
def test_an_invalid_period_is_refused(client: ApiClient, query: dict[str, str]) -> None:
    """Invalid input must never cause a 500."""
    answer = client.get("/api/stats", **query)

    assert (answer.status_code, answer.json()["code"]) == (400, "bad_parameter")


@pytest.mark.parametrize(
    ("zone", "names"),
    [
        ("IST", "Asia/Kolkata, Europe/Dublin or Asia/Jerusalem"),
        ("sgt", "Asia/Singapore"),
        ("Kolkata", "Asia/Kolkata"),
    ],
)
def test_an_abbreviation_of_a_zone_is_refused_with_the_names_it_may_mean(
    client: ApiClient, zone: str, names: str
) -> None:
    """PostgreSQL interprets IST as the time of Israel, so days of an Indian shop would begin at 03:30."""
    answer = client.get("/api/stats", zone=zone)

    assert (answer.status_code, answer.json()["code"]) == (400, "bad_parameter")
    assert answer.json()["error"].endswith(f"instead of {zone.upper()}, give {names}.")


def test_every_name_that_is_proposed_for_an_abbreviation_exists(client: ApiClient) -> None:
    proposed = {name for names in time_zones.MEANINGS.values() for name in names}

    assert proposed <= zoneinfo.available_timezones()
    assert set(time_zones.MEANINGS).isdisjoint(zoneinfo.available_timezones())
    assert client.get("/api/stats", zone="asia/kolkata").status_code == 200


def test_the_ledger_adds_up(history: HistoryWriter, client: ApiClient) -> None:
    """A dashboard can show that no event was lost."""
    history.store(message_fact(), message_fact(at=1))

    data = client.get_data("/api/ledger")

    assert (data["received"], data["stored"], data["duplicate"]) == (2, 2, 0)
    assert set(data) >= {"received", "stored", "duplicate", "noise", "ping", "parked", "forgotten", "waiting", "as_of"}


def test_the_ledger_lists_lost_accepted_and_unknown_events(history: HistoryWriter, client: ApiClient) -> None:
    with connections.open(history.database_url, "test") as connection:
        scene = LedgerScene(connection)
        for number in (1, 3, 5):
            scene.store(number)
        scene.age(LOST_AFTER + 2)
        scene.observe(scene.heartbeat(5))
        acceptance.accept_loss(connection, BatchRange(scene.writer, 2, 2), reason="fire", accepted_by="asha")
        data = client.get_data("/api/ledger")
        scene.observe(unreadable=3)
        set_aside = client.get_data("/api/ledger")

    assert (data["exact"], data["waiting"], data["written_off"], data["unknown"]) == (False, 10, 10, [])
    assert data["lost"] == [{"writer": scene.writer, "first": 4, "last": 4, "events": 10, "spooled": 0}]
    [loss] = data["accepted_losses"]
    assert (loss["first"], loss["events"], loss["reason"], loss["accepted_by"]) == (2, 10, "fire", "asha")
    assert loss["accepted_at"].endswith("Z")
    assert [(one["kind"], one["count"]) for one in set_aside["unknown"]] == [("unreadable_entries", 3)]


def test_a_session_has_its_state_and_the_events_that_never_came(history: HistoryWriter, client: ApiClient) -> None:
    """Clients can subscribe to events that the gateway never sends, and a dashboard should be able to show that."""
    history.store(message_fact(), SessionReport("connected", "919899999999", BASE_TIME))

    (session,) = client.get_data("/api/sessions")["sessions"]

    assert (session["session_id"], session["state"], session["phone"]) == ("s1", "connected", "919899999999")
    assert session["last_event_at"] == "2025-06-15T15:06:40.000Z"
    assert session["never_seen"] == ["message.sent", "status.change"]


def test_a_session_lists_the_phones_that_several_lids_claim(history: HistoryWriter, client: ApiClient) -> None:
    """An operator must decide which LID is right. Until then the chats stay separate."""
    other = "200000000000012@lid"
    history.store(message_fact(address=SENDER_LID), alias_fact(), message_fact(address=other), alias_fact(other))

    (session,) = client.get_data("/api/sessions")["sessions"]

    assert session["contradictions"] == [{"phone": SENDER_PHONE, "lids": [SENDER_LID, other]}]
    assert {chat["address"] for chat in client.get_data("/api/chats")["contacts"]} == {SENDER_LID, other}


def test_parked_events_are_listed_newest_first_with_their_bytes(history: HistoryWriter, client: ApiClient) -> None:
    """Authors of the parser need the bytes that it could not parse."""
    events = tuple(
        Event(
            index,
            BASE_TIME + index // 2,
            body,
            hashlib.sha256(body).digest(),
            Outcome("parked", "not_json", None, None, None),
        )
        for index, body in enumerate([b"zero", b"\xff\x00one", b"two", b"three", b"four"])
    )
    with connections.open(history.database_url, "test") as connection:
        apply.batches(connection, [Batch(history.writer, 1, 5, events)])
    first = client.get_data("/api/parked", limit=3)
    rest = client.get_data("/api/parked", limit=3, cursor=first["cursor"])

    assert first["parked"][0] | {"parked_at": None, "digest": None} == {
        "digest": None, "reason": "not_json", "session_id": None, "event": None,
        "received_at": "2025-06-15T15:06:40.002Z", "parked_at": None, "size": 4, "body": "four",
    }  # fmt: skip
    assert {one["body"] for one in first["parked"] + rest["parked"]} == {
        "zero",
        "\\377\\000one",
        "two",
        "three",
        "four",
    }
    assert rest["cursor"] is None
