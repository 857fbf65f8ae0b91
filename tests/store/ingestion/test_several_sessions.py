"""A body about several sessions is one event in the ledger, and its facts are in the history of each session."""

from dataclasses import replace

from store.model.facts import Outcome, SessionFacts
from tests.support.generated_history import world
from tests.support.history.erasure_scenario import ErasureScenario
from tests.support.history.folding import message_fact

FIRST, SECOND = "1098", "1099"
BODY = world.encode_event({"messageId": "A", "entry": [FIRST, SECOND]})


def parse_both(_: bytes) -> Outcome:
    first, second = message_fact("A", world.ASHA, text="to one"), message_fact("A", world.RAVI, text="to the other")
    return Outcome("stored", None, FIRST, "messages", world.BASE_TIME, (first,), (SessionFacts(SECOND, (second,)),))


def parse_first(body: bytes) -> Outcome:
    return replace(parse_both(body), others=())


def test_each_session_gets_its_facts_and_the_event_counts_once(erasure_scenario: ErasureScenario) -> None:
    """Meta batches the numbers of a business in one body, and one id means one message per session."""
    counts = erasure_scenario.receive(BODY, BODY, parse=parse_both)

    assert counts == {"stored": 1, "duplicate": 1}
    assert stored_messages(erasure_scenario) == [
        (FIRST, world.ASHA, "to one", 1),
        (SECOND, world.RAVI, "to the other", 1),
    ]
    assert erasure_scenario.fetch_rows(
        "SELECT s.session_id, e.event FROM session_events AS e JOIN sessions AS s USING (session_number) ORDER BY 1"
    ) == [(FIRST, "messages"), (SECOND, "messages")]


def test_a_replay_finds_a_session_that_an_older_parser_missed(erasure_scenario: ErasureScenario) -> None:
    """The link from event to message exists per session, and is removed if the parser no longer finds a message."""
    erasure_scenario.receive(BODY, parse=parse_first)

    erasure_scenario.replay(parse_both)
    assert stored_messages(erasure_scenario) == [
        (FIRST, world.ASHA, "to one", 1),
        (SECOND, world.RAVI, "to the other", 1),
    ]
    assert not erasure_scenario.replay(parse_both)

    erasure_scenario.replay(parse_first)
    assert stored_messages(erasure_scenario) == [(FIRST, world.ASHA, "to one", 1)]


def test_an_erasure_in_one_session_deletes_nothing_from_the_other(erasure_scenario: ErasureScenario) -> None:
    """The message of the other session is stored without the raw body, which also contains the erased person's."""
    waiting = erasure_scenario.acknowledge([BODY])
    erasure_scenario.erase_person(world.RAVI, SECOND)

    assert erasure_scenario.drain([waiting], parse=parse_both) == {"stored": 1}
    assert stored_messages(erasure_scenario) == [(FIRST, world.ASHA, "to one", 0)]


def stored_messages(scenario: ErasureScenario) -> list[tuple[object, ...]]:
    """Return (session, chat, text, linked events) of each message."""
    return scenario.fetch_rows(
        """
        SELECT m.session_id, c.address, m.message_text, (
            SELECT count(*) FROM raw_events AS e
            WHERE e.key_id = m.key_id
                OR EXISTS (SELECT FROM event_keys AS k WHERE k.key_id = m.key_id AND k.event_id = e.event_id)
        )
        FROM whatsapp_messages AS m
        JOIN chats AS c USING (chat_id)
        ORDER BY 1
        """
    )
