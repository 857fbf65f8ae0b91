"""An erasure leaves no trace of a person, later copies are dropped, and everything else stays."""

import uuid

import psycopg
import pytest

from store.erasure import requests
from store.history.sessions import outages
from store.history.sessions.outages import ConnectionCheck
from store.postgres import connections
from store.reading import change_feed
from store.reading.search.search import SearchQuery, find
from store.search_index.search_document import split_query
from store.sending import sends
from store.sending.sends import SendDraft, SendResult
from tests.support.generated_history import world
from tests.support.history.erasure_scenario import (
    ASHA,
    ERASED_WORDS,
    GROUP,
    RAVI,
    SESSION,
    ErasureScenario,
    now_ms,
    store_asha_history,
)


def test_no_trace_of_an_erased_person_is_left_in_the_database(erasure_scenario: ErasureScenario) -> None:
    """An auditor would check that a dump of every table, with raw bytes, has neither the number nor the words."""
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
        "labels": 1,
        "notes": 1,
        "chats": 2,
    }
    assert erasure_scenario.ledger_counts() == before
    assert before == {"stored": 12, "parked": 2}


def test_a_session_name_with_the_number_of_an_erased_person_is_erased(erasure_scenario: ErasureScenario) -> None:
    """A session's name is free text. Names that do not mention the person stay, and so do colours."""
    store_asha_history(erasure_scenario)
    with psycopg.connect(erasure_scenario.url, autocommit=True) as connection:
        connection.execute("INSERT INTO sessions (session_id) VALUES ('another')")
        connection.execute(
            """
            INSERT INTO session_names (session_number, name, colour)
            SELECT s.session_number, CASE WHEN s.session_id = %s THEN %s ELSE 'Shop' END, 'red' FROM sessions AS s
            """,
            [SESSION, f"for +{ASHA[:2]} {ASHA[2:7]} {ASHA[7:]}"],
        )

        erasure_scenario.erase_person(ASHA)

        left = connection.execute("SELECT DISTINCT n.name, n.colour FROM session_names AS n ORDER BY n.name").fetchall()
    assert left == [("Shop", "red"), (None, "red")]


def test_no_statistics_quote_an_erased_person(erasure_scenario: ErasureScenario) -> None:
    """PostgreSQL keeps frequent values of deleted rows until a table is analysed again."""
    store_asha_history(erasure_scenario)
    quoted = """
        SELECT coalesce(string_agg(concat_ws(' ', s.most_common_vals, s.histogram_bounds), ' '), '')
        FROM pg_stats AS s
        WHERE s.schemaname = 'public'
    """
    hex_number = ASHA.encode().hex()
    with psycopg.connect(erasure_scenario.url, autocommit=True) as connection:
        connection.execute("ANALYZE")
    before = str(erasure_scenario.fetch_rows(quoted))
    assert ASHA in before
    assert hex_number in before
    assert "zebra" in before

    erasure_scenario.erase_person(ASHA)

    after = str(erasure_scenario.fetch_rows(quoted))
    assert [word for word in (ASHA, hex_number, "zebra") if word in after] == []


def test_messages_of_others_stay(erasure_scenario: ErasureScenario) -> None:
    """Only one of the people in a conversation asked for erasure."""
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
        assert not find(connection, SearchQuery(split_query("zebra"), 10), None).hits
        assert len(find(connection, SearchQuery(split_query("ravi"), 10), None).hits) == 3


@pytest.mark.parametrize("parked", [False, True])
def test_a_replay_restores_nothing(erasure_scenario: ErasureScenario, *, parked: bool) -> None:
    """A replay folds all stored events and repairs differences, none of which may be about an erased person."""
    store_asha_history(erasure_scenario)
    erasure_scenario.erase_person(ASHA)
    before = erasure_scenario.ledger_counts()

    assert erasure_scenario.replay(dry=True, parked=parked) == {}
    assert erasure_scenario.replay(parked=parked) == {}

    assert erasure_scenario.find_words(*ERASED_WORDS) == []
    assert erasure_scenario.ledger_counts() == before


def test_readers_of_the_feed_must_reload(erasure_scenario: ErasureScenario) -> None:
    """A reader that resumed from its cursor would keep showing erased messages."""
    store_asha_history(erasure_scenario)
    with connections.open(erasure_scenario.url, "api") as connection:
        epoch, _ = change_feed.current_position(connection)
        erasure_scenario.erase_person(ASHA)
        delivery = change_feed.read(connection, change_feed.FeedPosition(0, 0), 1000)

    assert delivery.epoch != epoch
    assert delivery.entries
    assert not [change.json for change in delivery.entries if any(word in change.json for word in ERASED_WORDS)]


def test_a_send_whose_recipient_was_erased_before_the_answer_stays_erased(
    erasure_scenario: ErasureScenario,
) -> None:
    """The gateway takes seconds to answer, and the answer must not be stored under a name that is erased."""
    with connections.open(erasure_scenario.url, "api") as connection:
        made = SendDraft(uuid.uuid4(), SESSION, ASHA, "text", "zebra one", now_ms() - 500, "token", "api")
        sends.record(connection, made)
        erasure_scenario.erase_person(ASHA)

        with pytest.raises(requests.errors.PermanentError, match="erased"):
            sends.complete(connection, made.send_id, SendResult("sent", "SENT1"))
        assert erasure_scenario.find_words(*ERASED_WORDS) == []
        again = SendDraft(uuid.uuid4(), SESSION, ASHA, "text", "hello", now_ms(), "token", "api")
        assert sends.record(connection, again).send_id == again.send_id


def test_the_own_number_in_the_gateways_status_is_refused(erasure_scenario: ErasureScenario, database_url: str) -> None:
    """Gateways send no event that contains it."""
    with connections.open(database_url, "test") as connection:
        outages.record_check(connection, SESSION, ConnectionCheck(world.BASE_TIME, None, phone=ASHA))

    with pytest.raises(requests.OwnNumberError):
        erasure_scenario.record_request(ASHA)


@pytest.mark.parametrize("later", [[], [RAVI]], ids=["now", "before"])
def test_the_own_number_of_a_session_is_refused(erasure_scenario: ErasureScenario, later: list[str]) -> None:
    """Our own number is in every message, so erasing it would erase the whole history. An earlier one would stay."""
    for number, phone in enumerate([ASHA, *later]):
        erasure_scenario.receive(
            world.encode_event(
                {
                    "event": "session.connected",
                    "sessionId": SESSION,
                    "phoneNumber": f"+{phone}",
                    "timestamp": world.BASE_TIME + number * 1000,
                }
            )
        )

    with pytest.raises(requests.OwnNumberError):
        erasure_scenario.record_request(ASHA)
