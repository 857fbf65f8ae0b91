"""Events that arrive after an erasure stay suppressed: late, repeated, under another address, or without the key."""

from pathlib import Path

import pytest

from store.erasure import jobs
from store.erasure.key_store import KeyStoreUnwritableError, SuppressionKeyError, SuppressionKeyStore
from store.postgres import connections
from store.retention import expired_messages
from tests.support.generated_history import world
from tests.support.history.erasure_scenario import (
    ASHA,
    ERASED_WORDS,
    LID,
    OTHER_SESSION,
    RAVI,
    SESSION,
    ErasureScenario,
    group_message_event,
    message_event,
    now_ms,
    store_asha_history,
)
from tests.support.history.faulty_parsers import parse_correctly


def test_late_copies_count_as_duplicates_or_forgotten(erasure_scenario: ErasureScenario) -> None:
    """After a reconnect the gateway sends old messages again, with the same id and possibly other bytes."""
    erasure_scenario.receive(message_event("zebra one", 1), group_message_event("zebra three", 4))
    erasure_scenario.erase_person(ASHA)

    later = now_ms() + 60_000
    erasure_scenario.receive(
        message_event("zebra one", 1), message_event("zebra one", 1, pushName="Asha Rao"), received_at=later
    )
    erasure_scenario.receive(
        message_event("zebra one", 1, LID, from_lid=LID, from_number=f"+{ASHA}"), received_at=later
    )
    erasure_scenario.receive(
        group_message_event("zebra three", 4), group_message_event("zebra three", 4, wa="copy"), received_at=later
    )
    erasure_scenario.erase()

    assert erasure_scenario.message_texts() == []
    assert erasure_scenario.find_words("zebra", "Asha Rao") == []
    assert erasure_scenario.ledger_counts() == {"stored": 2, "duplicate": 2, "forgotten": 3}


def test_waiting_events_count_as_forgotten_and_are_not_stored(erasure_scenario: ErasureScenario) -> None:
    """The spool and the stream may contain events that were acknowledged before the erasure and are not stored yet."""
    waiting = erasure_scenario.acknowledge(
        [
            message_event("zebra one", 1),
            group_message_event("zebra two", 2),
            group_message_event("ravi quotes", 3, RAVI, quoted={"from": ASHA, "text": "zebra four"}),
            world.encode_event({"event": "never.heard.of", "who": f"+{ASHA}", "x": "zebra three"}),
            message_event("hello", 5, RAVI),
        ]
    )
    erasure_scenario.erase_person(ASHA)

    assert erasure_scenario.drain([waiting]) == {"forgotten": 3, "stored": 2}

    assert erasure_scenario.find_words(*ERASED_WORDS) == []
    assert erasure_scenario.message_texts() == ["ravi quotes", "hello"]
    assert erasure_scenario.ledger_counts() == {"forgotten": 3, "stored": 2}
    assert erasure_scenario.replay() == {}
    assert erasure_scenario.message_texts() == ["ravi quotes", "hello"]


def test_a_later_message_starts_a_new_history(erasure_scenario: ErasureScenario) -> None:
    """An erasure does not block a person, so the next message is stored, without the old history."""
    store_asha_history(erasure_scenario)
    erasure_scenario.erase_person(ASHA)

    erasure_scenario.receive(message_event("hello again", 50, pushName="A."), received_at=now_ms() + 60_000)

    shown = erasure_scenario.fetch_rows("SELECT address, name, unread FROM chats WHERE address = %s", ASHA)
    assert shown == [(ASHA, "A.", 1)]
    assert erasure_scenario.message_texts()[-1] == "hello again"
    assert erasure_scenario.find_words("zebra", "Asha Rao", LID) == []
    assert erasure_scenario.replay() == {}
    assert erasure_scenario.message_texts()[-1] == "hello again"
    assert erasure_scenario.ledger_counts()["stored"] == 13


@pytest.mark.parametrize("forgotten", [ASHA, LID])
def test_an_alias_that_becomes_known_later_is_erased_too(erasure_scenario: ErasureScenario, forgotten: str) -> None:
    """A person who is erased by one address may have a history under another, and the evidence arrives later."""
    other = LID if forgotten == ASHA else ASHA
    erasure_scenario.receive(
        message_event("zebra one", 1, ASHA), message_event("zebra two", 2, LID), message_event("hello", 3, RAVI)
    )
    late = erasure_scenario.acknowledge([message_event("zebra three", 4, other)])
    erasure_scenario.erase_person(forgotten)
    assert erasure_scenario.message_texts() == ["zebra two" if forgotten == ASHA else "zebra one", "hello"]

    erasure_scenario.receive(
        message_event("it is me", 50, LID, from_lid=LID, from_number=f"+{ASHA}"), received_at=now_ms() + 60_000
    )
    erasure_scenario.drain([late])
    erasure_scenario.erase()

    assert erasure_scenario.message_texts() == ["hello", "it is me"]
    assert erasure_scenario.find_words("zebra") == []
    assert erasure_scenario.ledger_counts() == {"stored": 4, "forgotten": 1}
    assert erasure_scenario.replay() == {}
    assert erasure_scenario.message_texts() == ["hello", "it is me"]


def test_an_erasure_can_be_limited_to_a_session(erasure_scenario: ErasureScenario) -> None:
    """Two sessions may be two businesses, and a request to one does not concern the other."""
    erasure_scenario.receive(message_event("zebra one", 1), message_event("still here", 1, sessionId=OTHER_SESSION))
    waiting = erasure_scenario.acknowledge(
        [message_event("zebra two", 2), message_event("still here, too", 2, sessionId=OTHER_SESSION)]
    )

    erasure_scenario.erase_person(f"{ASHA}", SESSION)
    erasure_scenario.drain([waiting])

    assert erasure_scenario.message_texts() == ["still here", "still here, too"]
    assert erasure_scenario.find_words("zebra") == []
    assert erasure_scenario.ledger_counts() == {"stored": 3, "forgotten": 1}


def test_an_event_that_a_newer_parser_attributes_to_an_erased_person_is_dropped(
    erasure_scenario: ErasureScenario,
) -> None:
    """A parked event that only the next parser can read changes its outcome from parked to forgotten."""
    erasure_scenario.receive(
        world.encode_event({"event": "new.dialect", "sessionId": SESSION, "who": "her", "x": "zebra one"})
    )
    erasure_scenario.erase_person(ASHA)
    assert erasure_scenario.ledger_counts() == {"parked": 1}

    erasure_scenario.replay(
        lambda body: parse_correctly(message_event("zebra one", 1) if b"dialect" in body else body), parked=True
    )

    assert erasure_scenario.ledger_counts() == {"forgotten": 1}
    assert erasure_scenario.find_words("zebra one") == []
    assert erasure_scenario.message_texts() == []
    assert erasure_scenario.fetch_rows("SELECT count(*) FROM raw_events") == [(0,)]


def test_a_process_without_the_suppression_key_writes_nothing(
    erasure_scenario: ErasureScenario, tmp_path: Path
) -> None:
    """A process without the key, or with another one, would store suppressed events, so it waits."""
    waiting = erasure_scenario.acknowledge([message_event("zebra one", 1)])
    erasure_scenario.erase_person(ASHA)
    another = tmp_path / "another"
    SuppressionKeyStore(another).find_or_create_key()

    for folder in (tmp_path / "nowhere", another):
        blind = ErasureScenario(erasure_scenario.url, folder)
        with pytest.raises(SuppressionKeyError, match="FORGET_KEY"):
            blind.drain([waiting])
        with pytest.raises(SuppressionKeyError, match="FORGET_KEY"):
            blind.record_request(RAVI)
    assert erasure_scenario.fetch_rows("SELECT count(*) FROM batches") == [(0,)]
    assert erasure_scenario.drain([waiting]) == {"forgotten": 1}


def test_expired_messages_of_an_erased_person_do_not_return(erasure_scenario: ErasureScenario) -> None:
    """The tombstone of an expired message refers to its chat, which is erased."""
    erasure_scenario.receive(message_event("zebra one", 1), message_event("hello", 2, RAVI))
    with connections.open(erasure_scenario.url, "retain") as connection:
        assert sum(gone.messages for gone in expired_messages.prune(connection, now_ms())) == 2
    erasure_scenario.erase_person(ASHA)

    later = now_ms() + 60_000
    erasure_scenario.receive(
        message_event("zebra one", 1), message_event("zebra one", 1, pushName="Asha Rao"), received_at=later
    )
    erasure_scenario.receive(message_event("hello", 2, RAVI, pushName="Ravi"), received_at=later)

    assert erasure_scenario.message_texts() == []
    assert erasure_scenario.find_words(*ERASED_WORDS) == []
    assert erasure_scenario.ledger_counts() == {"stored": 3, "duplicate": 1, "forgotten": 1}


def test_nothing_is_erased_if_the_list_cannot_be_written(erasure_scenario: ErasureScenario, tmp_path: Path) -> None:
    """A restore would bring back people that are missing in the list. A worker that finds an alias continues anyway."""
    erasure_scenario.receive(message_event("zebra one", 1), message_event("zebra two", 2, LID))
    (tmp_path / "file").touch()
    unwritable = ErasureScenario(erasure_scenario.url, tmp_path / "file" / "data")
    with pytest.raises(KeyStoreUnwritableError, match="DATA_DIR"):
        unwritable.record_request(ASHA)
    erasure_scenario.erase_person(ASHA)
    erasure_scenario.receive(
        message_event("it is me", 50, LID, from_lid=LID, from_number=f"+{ASHA}"), received_at=now_ms() + 60_000
    )

    with connections.open(erasure_scenario.url, "worker") as connection:
        key = erasure_scenario.key_store.key_file.read_text()
        jobs.run_all(connection, SuppressionKeyStore(tmp_path / "file" / "data", key), lambda _: None)

    assert erasure_scenario.message_texts() == ["it is me"]
    # A phone has two spellings: as an address, and as dialled within its own country.
    assert len(erasure_scenario.key_store.read_suppressions()) == 2
    erasure_scenario.record_request(RAVI)
    assert len(erasure_scenario.key_store.read_suppressions()) == 5
