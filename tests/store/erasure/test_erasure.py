"""Somebody is forgotten: nothing of them is left or comes back, nothing of others is missing, and the ledger stays."""

import uuid

import pytest

from store.erasure import requests
from store.postgres import connections
from store.reading import change_feed
from store.reading.search import SearchQuery, find, tokenize
from store.sending import sends
from store.sending.sends import SendDraft, SendResult
from tests.support.erasure_scenario import (
    ASHA,
    ERASED_WORDS,
    GROUP,
    RAVI,
    SESSION,
    ErasureScenario,
    now_ms,
    store_asha_history,
)
from tests.support.generated_history import world


def test_nothing_of_them_is_left_anywhere_in_the_database(erasure_scenario: ErasureScenario) -> None:
    """The claim as an auditor would try it: neither number nor words in a dump of every table, raw bytes included."""
    store_asha_history(erasure_scenario)
    before = erasure_scenario.ledger_counts()
    assert erasure_scenario.find_words(*ERASED_WORDS) == list(ERASED_WORDS)

    erased = erasure_scenario.erase_person(ASHA)

    assert erasure_scenario.find_words(*ERASED_WORDS) == []
    assert erased == {
        "messages": 5,
        "updates": 3,
        "sends": 2,
        "raw_events": 9,
        "lid_evidence": 1,
        "names": 1,
        "chats": 2,
    }
    assert erasure_scenario.ledger_counts() == before
    assert before == {"stored": 12, "parked": 2}


def test_messages_of_other_people_stay_unchanged(erasure_scenario: ErasureScenario) -> None:
    """Only one of two in a conversation asked to be forgotten."""
    store_asha_history(erasure_scenario)
    erasure_scenario.erase_person(ASHA)

    assert erasure_scenario.message_texts() == ["hello from ravi", "ravi in the group", "see above", "ravi again"]
    assert erasure_scenario.fetch_rows("SELECT address, name, unread FROM chats ORDER BY address") == [
        (GROUP, None, 2),
        (RAVI, "Ravi", 2),
    ]
    assert erasure_scenario.fetch_rows("SELECT reason FROM parked_events") == [("unknown_event",)]
    assert erasure_scenario.fetch_rows("SELECT count(*) FROM raw_events") == [(5,)]
    with connections.open(erasure_scenario.url, "search") as connection:
        assert not find(connection, SearchQuery(tokenize(connection, "zebra"), 10), None).hits
        assert len(find(connection, SearchQuery(tokenize(connection, "ravi"), 10), None).hits) == 3


@pytest.mark.parametrize("parked", [False, True])
def test_a_replay_brings_nothing_back(erasure_scenario: ErasureScenario, *, parked: bool) -> None:
    """A replay reads all that is kept; what it finds must be what is there, or it would repair people back to life."""
    store_asha_history(erasure_scenario)
    erasure_scenario.erase_person(ASHA)
    before = erasure_scenario.ledger_counts()

    assert erasure_scenario.replay(dry=True, parked=parked) == {}
    assert erasure_scenario.replay(parked=parked) == {}

    assert erasure_scenario.find_words(*ERASED_WORDS) == []
    assert erasure_scenario.ledger_counts() == before


def test_readers_of_the_feed_have_to_load_everything_anew(erasure_scenario: ErasureScenario) -> None:
    """Whoever goes on where they were would keep showing what was forgotten."""
    store_asha_history(erasure_scenario)
    with connections.open(erasure_scenario.url, "api") as connection:
        epoch, _ = change_feed.current_position(connection)
        erasure_scenario.erase_person(ASHA)
        delivery = change_feed.read(connection, change_feed.FeedPosition(0, 0), 1000)

    assert delivery.epoch != epoch
    assert delivery.entries
    assert not [change.json for change in delivery.entries if any(word in change.json for word in ERASED_WORDS)]


def test_a_send_that_is_answered_after_its_recipient_was_forgotten_stays_forgotten(
    erasure_scenario: ErasureScenario,
) -> None:
    """The gateway takes seconds, and what it says then must not be written under a name that is gone."""
    with connections.open(erasure_scenario.url, "api") as connection:
        made = SendDraft(uuid.uuid4(), SESSION, ASHA, "text", "zebra one", now_ms() - 500, "token", "api")
        sends.record(connection, made)
        erasure_scenario.erase_person(ASHA)

        with pytest.raises(requests.errors.PermanentError, match="forgotten"):
            sends.complete(connection, made.send_id, SendResult("sent", "SENT1"))
        assert erasure_scenario.find_words(*ERASED_WORDS) == []
        again = SendDraft(uuid.uuid4(), SESSION, ASHA, "text", "hello", now_ms(), "token", "api")
        assert sends.record(connection, again)[1]


def test_the_number_of_a_session_itself_is_refused(erasure_scenario: ErasureScenario) -> None:
    """Our own number is in every message: whoever mistypes it must not erase a company's history."""
    erasure_scenario.receive(
        world.encode_event(
            {
                "event": "session.connected",
                "sessionId": SESSION,
                "phoneNumber": f"+{ASHA}",
                "timestamp": world.BASE_TIME,
            }
        )
    )

    with pytest.raises(requests.OwnNumberError):
        erasure_scenario.record_request(ASHA)
