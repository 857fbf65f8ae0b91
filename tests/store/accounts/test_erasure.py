"""A person who is erased in one session of an account is erased in all of its sessions."""

import json

import pytest

from store.accounts import joining
from store.history.sessions import sessions
from store.postgres import connections
from tests.support.generated_history import world
from tests.support.history import account_merging
from tests.support.history.erasure_scenario import (
    ASHA,
    GROUP,
    OTHER_SESSION,
    RAVI,
    SESSION,
    ErasureScenario,
    group_message_event,
    message_event,
)

TWIN = "shop:default"


def waha_event(event: str = "message", **payload: object) -> bytes:
    told = {"timestamp": world.BASE_TIME // 1000, "fromMe": False, **payload}
    return json.dumps({"id": f"evt_{payload}", "event": event, "session": "default", "payload": told}).encode()


def waha_message(text: str, number: int, sender: str = ASHA) -> bytes:
    return waha_event(id=f"false_{sender}@c.us_ID{number}", **{"from": f"{sender}@c.us"}, body=text)


def receive_from_twin(scenario: ErasureScenario, *bodies: bytes) -> None:
    batch = scenario.acknowledge(bodies)
    scenario.drain([batch._replace(senders=("waha:shop",) * len(bodies))])


def join(scenario: ErasureScenario) -> None:
    with connections.open(scenario.url, "join") as connection:
        with connection.transaction():
            joining.join(connection, sorted(sessions.ensure(connection, [SESSION, TWIN]).values()), "919800000000")
        account_merging.merge_all(connection, scenario.suppressions)


@pytest.mark.parametrize(("session", "joins"), [(SESSION, "last"), (TWIN, "first")])
def test_an_erasure_in_one_session_reaches_all_of_its_account(
    erasure_scenario: ErasureScenario, session: str, joins: str
) -> None:
    """The rows and the raw and parked bodies of both sessions are erased, and later copies are dropped. Others stay."""
    if joins == "first":
        join(erasure_scenario)
    erasure_scenario.receive(
        message_event("zebra one", 1),
        group_message_event("zebra three", 4),
        message_event("ravi to sak", 5, RAVI),
        message_event("still here", 6, sessionId=OTHER_SESSION),
        world.encode_event({"event": "never.heard.of", "sessionId": OTHER_SESSION, "who": ASHA, "x": "kept"}),
    )
    receive_from_twin(
        erasure_scenario,
        waha_message("zebra one", 1),
        waha_message("zebra two", 2),
        waha_event(
            id=f"false_{GROUP}_ID4_{ASHA}@c.us", **{"from": GROUP}, participant=f"{ASHA}@c.us", body="zebra three"
        ),
        waha_event(
            "message.reaction", id="false_x", **{"from": f"{ASHA}@c.us"}, reaction={"text": "🦓", "messageId": "x"}
        ),
        waha_event("never.heard.of", who=ASHA, x="zebra four"),
        waha_message("ravi to waha", 7, RAVI),
    )
    if joins == "last":
        join(erasure_scenario)
    late = waha_message("zebra five", 8)
    batch = erasure_scenario.acknowledge([late])._replace(senders=("waha:shop",))

    erasure_scenario.erase_person(ASHA, session)
    erasure_scenario.drain([batch])

    assert erasure_scenario.message_texts() == ["ravi to sak", "still here", "ravi to waha"]
    assert erasure_scenario.find_words("zebra", "🦓") == []
    assert erasure_scenario.fetch_rows("SELECT count(*) FROM parked_events") == [(1,)]
    assert erasure_scenario.fetch_rows("SELECT session_id FROM chats WHERE address = %s", ASHA) == [(OTHER_SESSION,)]
    assert erasure_scenario.replay(dry=True) == {}
    assert erasure_scenario.ledger_counts()["forgotten"] == 1


@pytest.mark.parametrize("erased_in", [SESSION, TWIN])
def test_a_session_that_joins_later_forgets_with_the_account(erasure_scenario: ErasureScenario, erased_in: str) -> None:
    """Its history still contains the person in rows, in bodies and as an author in a group. None is merged first."""
    erasure_scenario.receive(
        message_event("zebra one", 1), message_event("hello", 2, RAVI), group_message_event("zebra four", 4)
    )
    receive_from_twin(
        erasure_scenario,
        waha_message("zebra one", 1),
        waha_message("zebra two", 3),
        waha_message(f"call zebra five at {ASHA}", 5, RAVI),
        waha_event("group.v2.join", who=ASHA),
        waha_event("never.heard.of", who=ASHA),
    )
    erasure_scenario.erase_person(ASHA, erased_in)
    assert "zebra one" in erasure_scenario.message_texts()

    join(erasure_scenario)
    chats = "SELECT count(*) FROM chats WHERE address = %s AND merged_into IS NOT NULL"
    assert erasure_scenario.fetch_rows(chats, ASHA) == [(0,)]
    erasure_scenario.erase()
    with connections.open(erasure_scenario.url, "join") as connection:
        account_merging.merge_all(connection, erasure_scenario.suppressions)

    remaining = [text for text in erasure_scenario.message_texts() if "zebra" in str(text)]
    assert remaining == [f"call zebra five at {ASHA}"]
    assert erasure_scenario.fetch_rows("SELECT count(*) FROM chats WHERE address = %s", ASHA) == [(0,)]
    assert erasure_scenario.fetch_rows("SELECT count(*) FROM raw_events WHERE body LIKE %s", f"%{ASHA}%".encode()) == [
        (0,)
    ]
    assert erasure_scenario.fetch_rows("SELECT is_merged FROM account_sessions") == [(True,), (True,)]
