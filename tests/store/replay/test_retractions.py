"""Wrong names, LID evidence and session reports are replaced, or removed if no event states the subject."""

from dataclasses import replace

import pytest

from store.model.facts import DisplayName, LidAlias, Outcome
from store.replay import replay
from store.replay.replay import Replay, ReplayPlan
from tests.support.generated_history import batches, world
from tests.support.history.faulty_parsers import parse_correctly
from tests.support.history.replaying import fetch_rows, replay_parser, run_replay, store_batches, text_event

NAMES = "SELECT own_name FROM chats WHERE address = %s"


def parse_with_invented_name(body: bytes) -> Outcome:
    """Parse the body as a parser that takes a word of the newest message for a name."""
    outcome = parse_correctly(body)
    if b"newest" not in body:
        return outcome
    return replace(outcome, facts=(*outcome.facts, DisplayName(world.ASHA, "Newest", 2, world.BASE_TIME + world.HOUR)))


def store_two_messages(database_url: str, **of_the_first: object) -> None:
    events = [(text_event("oldest", 1, **of_the_first), world.BASE_TIME), (text_event("newest", 2), world.BASE_TIME)]
    store_batches(database_url, [batches.make_batch(events)], parse_with_invented_name)
    assert fetch_rows(database_url, NAMES, world.ASHA) == [("Newest",)]


@pytest.mark.parametrize(("sent_name", "expected"), [("Asha", "Asha"), (None, None)])
def test_a_wrong_name_is_replaced_by_an_older_right_one_or_removed(
    sent_name: str | None, expected: str | None, database_url: str
) -> None:
    """The right name ranks lower than the wrong one, so folding it again would not be enough."""
    store_two_messages(database_url, **({"pushName": sent_name} if sent_name else {}))

    announced = run_replay(database_url, parse_correctly, dry_run=True)
    report = run_replay(database_url, parse_correctly)

    assert fetch_rows(database_url, NAMES, world.ASHA) == [(expected,)]
    location = f"{world.SESSIONS[0]} {world.ASHA}"
    assert report.examples["chat name"] == [{"where": location, "was": "Newest", "now": expected}]
    assert announced.examples["chat name"] == report.examples["chat name"]
    assert run_replay(database_url, parse_correctly).difference_counts == {}


def test_a_wrong_name_is_visible_until_it_is_replaced(database_url: str) -> None:
    """A replay takes hours. Readers see the old name or the new one, and never none, even after an interruption."""
    store_two_messages(database_url, pushName="Asha")
    plan = ReplayPlan(replay_parser(parse_correctly), batch_size=1)
    names: list[object] = []
    more = True
    while more:
        with replay.open_connection(database_url) as connection:
            job = Replay(connection, plan)
            for _ in range(2):
                more = job.step()
                names += fetch_rows(database_url, NAMES, world.ASHA)

    assert list(dict.fromkeys(names)) == [("Newest",), ("Asha",)]


def test_a_name_whose_event_was_pruned_stays(database_url: str) -> None:
    """No remaining event shows whether it was right."""
    store_two_messages(database_url)
    fetch_rows(database_url, "UPDATE message_keys SET has_pruned_sources = true")
    fetch_rows(database_url, "DELETE FROM raw_events WHERE event_id = 2")

    assert run_replay(database_url, parse_correctly).difference_counts == {}
    assert fetch_rows(database_url, NAMES, world.ASHA) == [("Newest",)]


def test_wrong_evidence_is_removed_and_its_lid_is_a_chat_again(database_url: str) -> None:
    """The messages of two people were shown as one chat."""

    def parse_with_invented_evidence(body: bytes) -> Outcome:
        outcome = parse_correctly(body)
        return replace(outcome, facts=(*outcome.facts, LidAlias(world.LID_OF_RAVI, world.ASHA, world.BASE_TIME)))

    events = [(text_event("one"), world.BASE_TIME)]
    store_batches(database_url, [batches.make_batch(events)], parse_with_invented_evidence)
    merged = "SELECT merged_into IS NOT NULL FROM chats WHERE address = %s"
    assert fetch_rows(database_url, merged, world.LID_OF_RAVI) == [(True,)]

    run_replay(database_url, parse_correctly)

    assert fetch_rows(database_url, merged, world.LID_OF_RAVI) == [(False,)]
    assert fetch_rows(database_url, "SELECT FROM lid_aliases") == []


def test_a_name_that_postgresql_rejects_parks_its_event(database_url: str) -> None:
    """A wrong parser must not stop the replay while it searches for wrong facts."""
    store_two_messages(database_url)

    def careless(body: bytes) -> Outcome:
        outcome = parse_with_invented_name(body)
        facts = tuple(replace(fact, name="\0") if isinstance(fact, DisplayName) else fact for fact in outcome.facts)
        return replace(outcome, facts=facts)

    run_replay(database_url, careless)

    assert fetch_rows(database_url, NAMES, world.ASHA) == [(None,)]
    assert fetch_rows(database_url, "SELECT reason FROM parked_events") == [("rejected_by_store",)]
