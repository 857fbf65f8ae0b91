"""Nothing brings back what was forgotten because of its age, and nothing else stays away with it."""

import pytest

from store.history import chats, fold
from store.postgres import connections
from store.postgres.connections import Connection
from store.replay.refolding import Comparison, Refolding
from store.replay.report import Difference
from store.retention.expired_messages import Gone
from tests.support.faulty_parsers import rightly
from tests.support.generated_history import batches as generated_history_batches
from tests.support.generated_history import world
from tests.support.replaying import drain, history, misread_as, replayed, retried, rows, said
from tests.support.retention_scenario import (
    LID_ALONE,
    NOW,
    OLD,
    SESSION,
    UNDER_LID,
    about,
    at,
    come,
    ids,
    retire,
    strange,
)
from worker.sak import parser as sak


def test_nothing_brings_it_back(database_url: str) -> None:
    """Gateways send again, other events tell of the same message, acks come late, replays read what is still there."""
    undated = said("undated", 2, timestamp=None)
    come(database_url, undated, receipt=OLD)
    come(database_url, at(OLD, "one"), at(NOW, "new", 9, **UNDER_LID))
    counts = retire(database_url)
    kept = history(database_url)

    come(database_url, at(OLD, "one"))
    come(database_url, undated)
    come(database_url, at(OLD, "one", pushName="Asha"), at(OLD, "one", **UNDER_LID), at(NOW, "undated", 2))
    for status in ("delivered", "read"):
        come(database_url, about("message.ack", status=status))
        address = {"to": f"{world.ASHA}@s.whatsapp.net"}
        come(database_url, about("message.ack", 2, status=status, **address))
    come(database_url, at(OLD, "parked", 1, more=1), read=strange)
    retried(database_url, rightly)
    report = replayed(database_url, rightly)

    assert counts == Gone(2, 0, 0)
    assert report.counts == {}
    assert ids(database_url) == ["ID9"]
    assert history(database_url)["messages"] == kept["messages"]
    assert history(database_url)["marks"] == kept["marks"]


def test_a_strangers_message_with_the_same_id_is_another_one(database_url: str) -> None:
    """Ids are the senders' choice: what was retired in one chat says nothing of another."""
    come(database_url, at(OLD, "one"))
    retire(database_url)

    come(database_url, at(NOW, "hello", sender=world.RAVI))

    assert rows(database_url, "SELECT from_number, message_text FROM whatsapp_messages") == [(world.RAVI, "hello")]
    assert replayed(database_url, rightly).counts == {}


def test_it_stays_away_when_the_addresses_of_its_chat_part(database_url: str) -> None:
    """A copy came under the other address while that was the same chat; somebody undoes the merge, and replays."""
    come(database_url, at(OLD, "one"), at(NOW, "new", 9, **UNDER_LID))
    retire(database_url)
    come(database_url, at(OLD, "one", **UNDER_LID))
    place = (SESSION, world.LID_OF_ASHA)
    with connections.open(database_url, "test") as connection, connection.transaction():
        connection.execute("INSERT INTO splits (session_id, lid) VALUES (%s, %s)", place)
        folding = fold.Folding(connection, [], [], {}, chats.lock(connection, {place}))
        folding.move({place})
        folding.show()

    assert replayed(database_url, rightly).counts == {}
    assert ids(database_url) == ["ID9"]


def test_it_takes_nothing_along_when_its_chat_turns_out_to_be_another(database_url: str) -> None:
    """A LID's message was retired before anybody knew whose LID it is: her younger message with that id stays."""
    come(database_url, at(OLD, "one", **LID_ALONE), at(NOW, "younger"))
    assert retire(database_url).messages == 1
    come(database_url, at(NOW, "new", 9, **UNDER_LID))
    come(database_url, at(OLD, "one", again=1, **LID_ALONE))

    assert replayed(database_url, rightly).counts == {}
    assert rows(database_url, "SELECT message_text FROM whatsapp_messages ORDER BY 1") == [("new",), ("younger",)]


def test_a_replay_beside_it_does_not_undo_it(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It compared the message with its sources a moment before the message went, and repairs a moment after."""
    misread = misread_as(type="image")
    come(database_url, *(at(OLD + number, f"message {number}", number) for number in range(6)), read=misread)
    come(database_url, at(NOW, "new", 9), read=misread)
    repair = Refolding.repair

    def late(refolding: Refolding, connection: Connection, comparison: Comparison, reason: str) -> list[Difference]:
        retire(database_url)
        return repair(refolding, connection, comparison, reason)

    monkeypatch.setattr(Refolding, "repair", late)
    replayed(database_url, rightly)

    assert rows(database_url, "SELECT message_id, message_type FROM whatsapp_messages") == [("ID9", "text")]
    assert rows(database_url, "SELECT unread FROM chats") == [(1,)]


def test_a_long_mixed_history_goes_without_a_trace_and_stays_away(database_url: str) -> None:
    """Whatever was told in whatever way: told again in full, and replayed, none of it is there."""
    batches = list(generated_history_batches.told(400))
    drain(database_url, batches, rightly)
    end = 10**14
    retire(database_url, end)
    assert ids(database_url) == []
    assert rows(database_url, "SELECT DISTINCT kind FROM marks") in ([], [("ack",)])
    assert rows(database_url, "SELECT sum(unread), max(last_timestamp), max(waiting_since) FROM chats") == [
        (0, None, None)
    ]

    assert [kind for kind in replayed(database_url, rightly).counts if kind.startswith("message")] == []
    # What does not identify itself is known again only as the batch that it came in.
    told = [body for batch in batches for body in batch.bodies if sak.read(body).identifies_itself]
    come(database_url, *told)
    come(database_url, *told, receipt=world.T0 - world.DAY)

    assert ids(database_url) == []
    assert rows(database_url, "SELECT count(*) FROM whatsapp_contacts") == [(0,)]


@pytest.mark.parametrize("seed", [5, 8])
def test_what_is_left_of_a_mixed_history_stays_as_it_is(database_url: str, seed: int) -> None:
    """A cut through everything: a replay finds nothing to change, copies of all that was told bring nothing back."""
    batches = list(generated_history_batches.told(150, seed))
    drain(database_url, batches, rightly)
    retire(database_url, world.T0 + seed * 9 * world.SECOND)
    left = history(database_url)

    assert replayed(database_url, rightly).counts == {}
    assert history(database_url) == left
    messages = ids(database_url)
    # Told by other events: but for those whose messages have no id, which are then other messages.
    come(database_url, *(body + b" " for one in batches for body in one.bodies if b"ID" in body))

    assert [one for one in ids(database_url) if not str(one).startswith("~")] == [
        one for one in messages if not str(one).startswith("~")
    ]
