"""What comes after somebody was forgotten: late, again, under another address, or to whom cannot tell."""

from pathlib import Path

import pytest

from store.erasure import jobs
from store.erasure.key_store import Keeping, MissingKeyError, UnwritableError
from store.postgres import connections
from store.retention import expired_messages
from tests.support.erasure_scenario import (
    ASHA,
    LID,
    OTHER_SESSION,
    RAVI,
    SESSION,
    THEIRS,
    House,
    everything_of_asha,
    in_group,
    message,
    now,
)
from tests.support.faulty_parsers import rightly
from tests.support.generated_history import world


def test_late_copies_are_duplicates_or_forgotten(house: House) -> None:
    """After a reconnect the gateway sends old messages again: the same bytes, or other bytes under the same id."""
    house.tell(message("zebra one", 1), in_group("zebra three", 4))
    house.forget(ASHA)

    later = now() + 60_000
    house.tell(message("zebra one", 1), message("zebra one", 1, pushName="Asha Rao"), received_at=later)
    house.tell(message("zebra one", 1, LID, from_lid=LID, from_number=f"+{ASHA}"), received_at=later)
    house.tell(in_group("zebra three", 4), in_group("zebra three", 4, wa="copy"), received_at=later)
    house.erase()

    assert house.texts() == []
    assert house.holds("zebra", "Asha Rao") == []
    assert house.counted() == {"stored": 2, "duplicate": 2, "forgotten": 3}


def test_what_was_on_its_way_is_counted_forgotten_and_not_kept(house: House) -> None:
    """Spool and stream hold events that were acknowledged before somebody was forgotten and are drained after."""
    waiting = house.batch(
        [
            message("zebra one", 1),
            in_group("zebra two", 2),
            in_group("ravi quotes", 3, RAVI, quoted={"from": ASHA, "text": "zebra four"}),
            world.encoded({"event": "never.heard.of", "who": f"+{ASHA}", "x": "zebra three"}),
            message("hello", 5, RAVI),
        ]
    )
    house.forget(ASHA)

    assert house.drain([waiting]) == {"forgotten": 3, "stored": 2}

    assert house.holds(*THEIRS) == []
    assert house.texts() == ["ravi quotes", "hello"]
    assert house.counted() == {"forgotten": 3, "stored": 2}
    assert house.replay() == {}
    assert house.texts() == ["ravi quotes", "hello"]


def test_whoever_writes_again_is_a_new_history(house: House) -> None:
    """Forgetting is not blocking: the next message is stored as anybody's, with nothing of the old beside it."""
    everything_of_asha(house)
    house.forget(ASHA)

    house.tell(message("hello again", 50, pushName="A."), received_at=now() + 60_000)

    shown = house.rows("SELECT address, name, unread FROM chats WHERE address = %s", ASHA)
    assert shown == [(ASHA, "A.", 1)]
    assert house.texts()[-1] == "hello again"
    assert house.holds("zebra", "Asha Rao", LID) == []
    assert house.replay() == {}
    assert house.texts()[-1] == "hello again"
    assert house.counted()["stored"] == 13


@pytest.mark.parametrize("forgotten", [ASHA, LID])
def test_a_lid_that_is_proven_later_is_forgotten_too(house: House, forgotten: str) -> None:
    """Who is forgotten by one address has a history under another, and nobody knows yet that they are one person."""
    other = LID if forgotten == ASHA else ASHA
    house.tell(message("zebra one", 1, ASHA), message("zebra two", 2, LID), message("hello", 3, RAVI))
    late = house.batch([message("zebra three", 4, other)])
    house.forget(forgotten)
    assert house.texts() == ["zebra two" if forgotten == ASHA else "zebra one", "hello"]

    house.tell(message("it is me", 50, LID, from_lid=LID, from_number=f"+{ASHA}"), received_at=now() + 60_000)
    house.drain([late])
    house.erase()

    assert house.texts() == ["hello", "it is me"]
    assert house.holds("zebra") == []
    assert house.counted() == {"stored": 4, "forgotten": 1}
    assert house.replay() == {}
    assert house.texts() == ["hello", "it is me"]


def test_only_the_session_that_was_named_forgets(house: House) -> None:
    """Two sessions are two businesses: a request to one is none of the other's."""
    house.tell(message("zebra one", 1), message("still here", 1, sessionId=OTHER_SESSION))
    waiting = house.batch([message("zebra two", 2), message("still here, too", 2, sessionId=OTHER_SESSION)])

    house.forget(f"{ASHA}", SESSION)
    house.drain([waiting])

    assert house.texts() == ["still here", "still here, too"]
    assert house.holds("zebra") == []
    assert house.counted() == {"stored": 3, "forgotten": 1}


def test_a_newer_parser_that_finds_out_about_whom_an_event_is_forgets_it(house: House) -> None:
    """What nobody understood names her in a way that only the next version reads: it moves from parked to forgotten."""
    written = "".join(chr(0x0660 + int(digit)) for digit in ASHA)
    house.tell(world.encoded({"event": "new.dialect", "sessionId": SESSION, "who": written, "x": "zebra one"}))
    house.forget(ASHA)
    assert house.counted() == {"parked": 1}

    house.replay(lambda body: rightly(message("zebra one", 1) if b"dialect" in body else body), parked=True)

    assert house.counted() == {"forgotten": 1}
    assert house.holds("zebra one") == []
    assert house.texts() == []
    assert house.rows("SELECT count(*) FROM events") == [(0,)]


def test_nothing_is_written_by_whoever_cannot_tell_who_is_forgotten(house: House, tmp_path: Path) -> None:
    """A process without the key, or with another one, would keep what is to be forgotten; it waits instead."""
    house.forget(ASHA)
    waiting = house.batch([message("zebra one", 1)])
    another = tmp_path / "another"
    Keeping(another).make()

    for folder in (tmp_path / "nowhere", another):
        blind = House(house.url, folder)
        with pytest.raises(MissingKeyError, match="FORGET_KEY"):
            blind.drain([waiting])
        with pytest.raises(MissingKeyError, match="FORGET_KEY"):
            blind.record(RAVI)
    assert house.rows("SELECT count(*) FROM batches") == [(0,)]
    assert house.drain([waiting]) == {"forgotten": 1}


def test_what_was_retired_by_age_before_stays_away_too(house: House) -> None:
    """Of a retired message there is only a note that names its chat, and the chat goes."""
    house.tell(message("zebra one", 1), message("hello", 2, RAVI))
    with connections.open(house.url, "retain") as connection:
        assert sum(gone.messages for gone in expired_messages.retire(connection, now())) == 2
    house.forget(ASHA)

    later = now() + 60_000
    house.tell(message("zebra one", 1), message("zebra one", 1, pushName="Asha Rao"), received_at=later)
    house.tell(message("hello", 2, RAVI, pushName="Ravi"), received_at=later)

    assert house.texts() == []
    assert house.holds(*THEIRS) == []
    assert house.counted() == {"stored": 3, "duplicate": 1, "forgotten": 1}


def test_where_the_list_cannot_be_written_nobody_is_forgotten_by_halves(house: House, tmp_path: Path) -> None:
    """A restore would bring back whoever is not on the list; a worker that proves a LID goes on, on whatever disk."""
    house.tell(message("zebra one", 1), message("zebra two", 2, LID))
    (tmp_path / "file").touch()
    unwritable = House(house.url, tmp_path / "file" / "data")
    with pytest.raises(UnwritableError, match="DATA_DIR"):
        unwritable.record(ASHA)
    house.forget(ASHA)
    house.tell(message("it is me", 50, LID, from_lid=LID, from_number=f"+{ASHA}"), received_at=now() + 60_000)

    with connections.open(house.url, "worker") as connection:
        key = house.keeping.key_file.read_text()
        jobs.finish(connection, Keeping(tmp_path / "file" / "data", key), lambda _: None)

    assert house.texts() == ["it is me"]
    assert len(house.keeping.noted()) == 1
    house.record(RAVI)
    assert len(house.keeping.noted()) == 3
