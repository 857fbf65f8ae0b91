"""Somebody is forgotten: nothing of them is left or comes back, nothing of others is missing, and the ledger stays."""

import uuid

import pytest

from store.erasure import requests
from store.postgres import connections
from store.reading import change_feed
from store.reading.search import Wanted, find, words_of
from store.sending import sends
from store.sending.sends import Draft, Result
from tests.support.erasure_scenario import ASHA, GROUP, RAVI, SESSION, THEIRS, House, everything_of_asha, now
from tests.support.generated_history import world


def test_nothing_of_them_is_left_anywhere_in_the_database(house: House) -> None:
    """The claim as an auditor would try it: neither number nor words in a dump of every table, raw bytes included."""
    everything_of_asha(house)
    before = house.counted()
    assert house.holds(*THEIRS) == list(THEIRS)

    erased = house.forget(ASHA)

    assert house.holds(*THEIRS) == []
    assert erased == {"messages": 5, "marks": 3, "sends": 2, "bodies": 9, "evidence": 1, "names": 1, "chats": 2}
    assert house.counted() == before
    assert before == {"stored": 12, "parked": 2}


def test_what_others_wrote_stays_as_it_was(house: House) -> None:
    """Only one of two in a conversation asked to be forgotten."""
    everything_of_asha(house)
    house.forget(ASHA)

    assert house.texts() == ["hello from ravi", "ravi in the group", "see above", "ravi again"]
    assert house.rows("SELECT address, name, unread FROM chats ORDER BY address") == [
        (GROUP, None, 2),
        (RAVI, "Ravi", 2),
    ]
    assert house.rows("SELECT reason FROM parked") == [("unknown_event",)]
    assert house.rows("SELECT count(*) FROM events") == [(5,)]
    with connections.open(house.url, "search") as connection:
        assert not find(connection, Wanted(words_of(connection, "zebra"), 10), None).results
        assert len(find(connection, Wanted(words_of(connection, "ravi"), 10), None).results) == 3


@pytest.mark.parametrize("parked", [False, True])
def test_a_replay_brings_nothing_back(house: House, *, parked: bool) -> None:
    """A replay reads all that is kept; what it finds must be what is there, or it would repair people back to life."""
    everything_of_asha(house)
    house.forget(ASHA)
    before = house.counted()

    assert house.replay(dry=True, parked=parked) == {}
    assert house.replay(parked=parked) == {}

    assert house.holds(*THEIRS) == []
    assert house.counted() == before


def test_readers_of_the_feed_have_to_load_everything_anew(house: House) -> None:
    """Whoever goes on where they were would keep showing what was forgotten."""
    everything_of_asha(house)
    with connections.open(house.url, "api") as connection:
        epoch, _ = change_feed.now(connection)
        house.forget(ASHA)
        delivery = change_feed.read(connection, change_feed.Place(0, 0), 1000)

    assert delivery.epoch != epoch
    assert delivery.changes
    assert not [change.text for change in delivery.changes if any(word in change.text for word in THEIRS)]


def test_a_send_that_is_answered_after_its_recipient_was_forgotten_stays_forgotten(house: House) -> None:
    """The gateway takes seconds, and what it says then must not be written under a name that is gone."""
    with connections.open(house.url, "api") as connection:
        made = Draft(uuid.uuid4(), SESSION, ASHA, "text", "zebra one", now() - 500, "token", "api")
        sends.record(connection, made)
        house.forget(ASHA)

        with pytest.raises(requests.errors.PermanentError, match="forgotten"):
            sends.complete(connection, made.send_id, Result("sent", "SENT1"))
        assert house.holds(*THEIRS) == []
        again = Draft(uuid.uuid4(), SESSION, ASHA, "text", "hello", now(), "token", "api")
        assert sends.record(connection, again)[1]


def test_the_number_of_a_session_itself_is_refused(house: House) -> None:
    """Our own number is in every message: whoever mistypes it must not erase a company's history."""
    house.tell(
        world.encoded(
            {"event": "session.connected", "sessionId": SESSION, "phoneNumber": f"+{ASHA}", "timestamp": world.T0}
        )
    )

    with pytest.raises(requests.OwnNumberError):
        house.record(ASHA)
