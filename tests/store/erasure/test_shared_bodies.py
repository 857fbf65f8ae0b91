"""If a body contains data of several people, an erasure removes one person's part and keeps the others."""

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from ingest.queue.contract import RawBatch
from store.model.facts import Outcome
from tests.support.generated_history import world
from tests.support.history.erasure_scenario import (
    ASHA,
    GROUP,
    LID,
    RAVI,
    ErasureScenario,
    group_message_event,
    message_event,
    now_ms,
)
from tests.support.history.faulty_parsers import parse_correctly

SENDER = "meta:shop"
META_ID = "IN.16480000000011"
ASHAS = {"id": "wamid.A1", "from": ASHA, "text": {"body": "zebra one"}}
RAVIS = {"id": "wamid.R1", "from": RAVI, "text": {"body": "hello from ravi"}}
NAMES = {ASHA: "Asha Rao", RAVI: "Ravi Kumar"}


def meta_body(*messages: Mapping[str, object], read: tuple[tuple[str, str], ...] = ()) -> bytes:
    """Return a request with these messages, and with statuses of messages to people as pairs of id and phone."""
    when = str(world.BASE_TIME // 1000)
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "919800000000", "phone_number_id": "105000000000072"},
        "contacts": [
            {"profile": {"name": NAMES[str(one["from"])]}, "wa_id": one["from"]} for one in messages if one["from"]
        ],
        "messages": [{"timestamp": when, "type": "text", **one} for one in messages],
        "statuses": [{"id": id_, "status": "read", "timestamp": when, "recipient_id": to} for id_, to in read],
    }
    entry = {"id": "104000000000071", "changes": [{"value": value, "field": "messages"}]}
    return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()


def meta_change(field: str, value: Mapping[str, object]) -> bytes:
    """Return a request with this change."""
    metadata = {"display_phone_number": "919800000000", "phone_number_id": "105000000000072"}
    change = {"value": {"metadata": metadata, **value}, "field": field}
    return json.dumps({"object": "whatsapp_business_account", "entry": [{"id": "104", "changes": [change]}]}).encode()


def acknowledge(scenario: ErasureScenario, *bodies: bytes, received_at: int | None = None) -> RawBatch:
    return scenario.acknowledge(bodies, received_at)._replace(senders=(SENDER,) * len(bodies))


def echo(number: int, to: str) -> bytes:
    """Return a message of ours."""
    message = {
        "id": f"wamid.E{number}",
        "from": "919800000000",
        "to": to,
        "type": "text",
        "text": {"body": f"to {to[-1]}"},
    }
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "919800000000", "phone_number_id": "105000000000072"},
        "message_echoes": [{"timestamp": str(world.BASE_TIME // 1000), **message}],
    }
    change = {"value": value, "field": "smb_message_echoes"}
    return json.dumps({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [change]}]}).encode()


def assert_only_asha_is_gone(scenario: ErasureScenario) -> None:
    assert scenario.message_texts() == ["to 2", "hello from ravi"]
    assert scenario.fetch_rows("SELECT status FROM whatsapp_messages ORDER BY id") == [("read",), (None,)]
    assert scenario.fetch_rows("SELECT address, name FROM chats") == [(RAVI, "Ravi Kumar")]
    assert scenario.find_words(ASHA, "Asha Rao", "zebra") == []
    assert scenario.replay(dry=True) == {}
    assert scenario.replay() == {}


@pytest.mark.parametrize("is_stored", [True, False], ids=["stored before", "waiting"])
def test_the_facts_about_an_erased_person_are_dropped_and_the_others_stored(
    erasure_scenario: ErasureScenario,
    is_stored: bool,  # noqa: FBT001
) -> None:
    """The raw body, which contains data of both, is no longer stored."""
    erasure_scenario.drain([acknowledge(erasure_scenario, echo(1, ASHA), echo(2, RAVI))])
    both = acknowledge(erasure_scenario, meta_body(ASHAS, RAVIS, read=(("wamid.E1", ASHA), ("wamid.E2", RAVI))))
    if is_stored:
        erasure_scenario.drain([both])
    erasure_scenario.erase_person(ASHA)
    erasure_scenario.drain([] if is_stored else [both])

    assert_only_asha_is_gone(erasure_scenario)
    assert erasure_scenario.fetch_rows("SELECT count(*) FROM raw_events") == [(1,)]
    assert erasure_scenario.ledger_counts() == {"stored": 3}


def test_a_late_copy_of_an_erased_message_drops_no_other_message(erasure_scenario: ErasureScenario) -> None:
    """The gateway repeats it in one body together with a new message of another person."""
    erasure_scenario.drain([acknowledge(erasure_scenario, meta_body(ASHAS))])
    erasure_scenario.erase_person(ASHA)
    later = now_ms() + 60_000

    erasure_scenario.drain([acknowledge(erasure_scenario, meta_body(RAVIS, ASHAS), received_at=later)])
    erasure_scenario.drain([acknowledge(erasure_scenario, meta_body(ASHAS, ASHAS), received_at=later)])

    assert erasure_scenario.message_texts() == ["hello from ravi"]
    assert erasure_scenario.find_words(ASHA, "Asha Rao", "zebra") == []
    assert erasure_scenario.ledger_counts() == {"stored": 2, "forgotten": 1}
    assert erasure_scenario.replay() == {}


def test_facts_without_a_person_are_dropped_with_those_of_an_erased_person(erasure_scenario: ErasureScenario) -> None:
    """A message under a LID that the body links to the person is erased, and so is a group message without a sender."""
    bodies = {
        b"linked": [message_event("zebra one", 1, LID, from_lid=LID, from_number=f"+{ASHA}")],
        b"mixed": [
            group_message_event("zebra two", 2),
            message_event("zebra three", 3, world.GROUP),
            message_event("hello", 4, RAVI),
        ],
    }

    def parse(body: bytes) -> Outcome:
        first, *others = map(parse_correctly, bodies[body])
        return replace(first, facts=(*first.facts, *(fact for each in others for fact in each.facts)))

    waiting = erasure_scenario.acknowledge([b"linked", b"mixed"])
    erasure_scenario.erase_person(ASHA)
    erasure_scenario.drain([waiting], parse)

    assert erasure_scenario.message_texts() == ["hello"]
    assert erasure_scenario.ledger_counts() == {"stored": 1, "forgotten": 1}
    assert erasure_scenario.fetch_rows("SELECT count(*) FROM raw_events") == [(0,)]


def test_a_parked_body_that_a_newer_parser_reads_loses_its_erased_part(erasure_scenario: ErasureScenario) -> None:
    """The body did not show the number. Now that the number is known, the body must be removed."""
    hidden = world.encode_event({"event": "new.dialect", "sessionId": world.SESSIONS[0]})
    erasure_scenario.receive(hidden)
    erasure_scenario.erase_person(ASHA)

    def parse(_: bytes) -> Outcome:
        outcome = parse_correctly(message_event("zebra one", 1))
        return replace(outcome, facts=(*outcome.facts, *parse_correctly(message_event("hello", 2, RAVI)).facts))

    erasure_scenario.replay(parse, parked=True)

    assert erasure_scenario.message_texts() == ["hello"]
    assert erasure_scenario.fetch_rows("SELECT count(*) FROM raw_events") == [(0,)]
    assert erasure_scenario.ledger_counts() == {"stored": 1}
    assert erasure_scenario.replay(parse) == {}


def test_the_reaction_of_an_erased_person_is_erased_and_that_of_another_stays(
    erasure_scenario: ErasureScenario,
) -> None:
    """Both reactions apply to one message and are in one body."""
    group = {"group_id": GROUP, "type": "reaction"}
    reactions = [
        {"id": f"wamid.{who}", "from": who, **group, "reaction": {"message_id": "wamid.G1", "emoji": emoji}}
        for who, emoji in ((ASHA, "🦓"), (RAVI, "👍"))
    ]
    erasure_scenario.drain([acknowledge(erasure_scenario, meta_body({**RAVIS, "id": "wamid.G1", "group_id": GROUP}))])
    erasure_scenario.drain([acknowledge(erasure_scenario, meta_body(*reactions))])
    assert erasure_scenario.fetch_rows("SELECT text FROM message_updates ORDER BY digest") == [("🦓",), ("👍",)]
    assert erasure_scenario.replay(dry=True) == {}

    erasure_scenario.erase_person(ASHA)

    assert erasure_scenario.fetch_rows("SELECT text, sender FROM message_updates") == [("👍", RAVI)]
    assert erasure_scenario.find_words(ASHA, "Asha Rao", "🦓") == []
    assert erasure_scenario.replay(dry=True) == {}


@pytest.mark.parametrize("is_stored", [True, False], ids=["stored before", "waiting"])
def test_a_person_known_by_meta_s_id_only_is_erased_from_every_body(
    erasure_scenario: ErasureScenario,
    is_stored: bool,  # noqa: FBT001
) -> None:
    """This includes bodies without any row: preferences, calls, and events that are not understood yet."""
    hidden = {"from": None, "from_user_id": META_ID}
    bodies = [
        meta_body({**ASHAS, **hidden}),
        meta_change("user_preferences", {"user_preferences": [{"user_id": META_ID, "value": "stop"}]}),
        meta_change("calls", {"calls": [{"id": "wacid.1", "from_user_id": META_ID}]}),
        meta_change("unheard_of", {"who": [{"user_id": META_ID}]}),
        meta_change("calls", {"calls": [{"id": "wacid.2", "from_user_id": "IN.16480000000012"}]}),
    ]
    batch = acknowledge(erasure_scenario, *bodies)
    if is_stored:
        erasure_scenario.drain([batch])
    erasure_scenario.erase_person(f"{META_ID}@bsuid")
    erasure_scenario.drain([] if is_stored else [batch])

    assert erasure_scenario.message_texts() == []
    assert erasure_scenario.find_words(META_ID, "zebra") == []
    assert erasure_scenario.fetch_rows("SELECT count(*) FROM raw_events") == [(1,)]


def test_meta_s_id_of_an_erased_phone_is_the_same_person(erasure_scenario: ErasureScenario) -> None:
    """One event named both. Later events name only the id, and one of them has not arrived yet."""
    told = [{**ASHAS, "from_user_id": META_ID}, {**ASHAS, "id": "wamid.A2", "from": None, "from_user_id": META_ID}]
    waiting = acknowledge(erasure_scenario, meta_body({**told[1], "id": "wamid.A3", "text": {"body": "zebra three"}}))
    erasure_scenario.drain([acknowledge(erasure_scenario, meta_body(*told), meta_body(RAVIS))])
    assert erasure_scenario.fetch_rows("SELECT name FROM chats WHERE merged_into IS NULL ORDER BY address") == [
        ("Asha Rao",),
        ("Ravi Kumar",),
    ]

    erasure_scenario.erase_person(ASHA)
    erasure_scenario.drain([waiting])

    assert erasure_scenario.message_texts() == ["hello from ravi"]
    assert erasure_scenario.find_words(ASHA, META_ID, "zebra") == []
