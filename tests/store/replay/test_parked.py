"""Tests replays of parked events that were rejected, that kill a worker, and that can be parsed now."""

from store.ledger import ledger
from store.model.facts import Outcome
from store.postgres import connections
from tests.support.generated_history import batches as generated_history_batches
from tests.support.generated_history import snapshot, world
from tests.support.history.faulty_parsers import FAULTY_PARSERS, parse_correctly
from tests.support.history.replaying import (
    comparable_snapshot,
    fetch_rows,
    parser_with_wrong_fields,
    run_redrive,
    run_replay,
    store_batches,
    text_event,
)


def test_an_event_that_postgresql_rejects_is_parked_until_it_is_accepted(database_url: str) -> None:
    """A parser that returns values that PostgreSQL cannot store stops neither the replay nor other events."""
    store_batches(
        database_url,
        [
            generated_history_batches.make_batch(
                [(text_event("good", 1), world.BASE_TIME), (text_event("evil", 2), world.BASE_TIME)]
            )
        ],
        parse_correctly,
    )

    def careless(body: bytes) -> Outcome:
        return (
            parser_with_wrong_fields(text="\0", type="image")(body)
            if b"evil" in body
            else parser_with_wrong_fields(type="video")(body)
        )

    run_replay(database_url, careless)
    assert fetch_rows(database_url, "SELECT reason FROM parked_events") == [("rejected_by_store",)]
    assert fetch_rows(database_url, "SELECT message_type FROM whatsapp_messages") == [("video",)]
    assert run_replay(database_url, careless).difference_counts == {}

    assert run_replay(database_url, parse_correctly).difference_counts["event parked to stored"] == 1
    assert fetch_rows(database_url, "SELECT message_text FROM whatsapp_messages ORDER BY id") == [("good",), ("evil",)]
    with connections.open(database_url, "test") as connection:
        read = ledger.read(connection)
    assert (read.stored, read.parked) == (2, 0)


def test_parked_events_are_retried_alone(database_url: str, second_database_url: str) -> None:
    """The usual case is that a parser learns a dialect. Its events leave the list once, and the ledger records it."""
    batches = list(generated_history_batches.generate_batches(250, seed=3))
    store_batches(database_url, batches, FAULTY_PARSERS["not understood"])
    store_batches(second_database_url, batches, parse_correctly)

    assert run_redrive(database_url, parse_correctly, reason="another").event_count == 0
    announced = run_redrive(database_url, parse_correctly, dry_run=True)
    done = run_redrive(database_url, parse_correctly)
    again = run_redrive(database_url, parse_correctly)

    assert done.difference_counts["event parked to stored"] > 50
    assert announced.difference_counts["event parked to stored"] == done.difference_counts["event parked to stored"]
    assert again.difference_counts == {}
    assert snapshot.differences(comparable_snapshot(database_url), comparable_snapshot(second_database_url)) == []
    assert fetch_rows(database_url, "SELECT DISTINCT reason FROM ledger_corrections") == [("retry of parked events",)]


def test_an_event_that_kills_its_worker_is_not_parsed_again(database_url: str) -> None:
    """The event was parked unread because three workers died of it, and a replay must not be the fourth."""
    store_batches(
        database_url, [generated_history_batches.make_batch([(text_event("deadly"), world.BASE_TIME)])], killed
    )

    def read(body: bytes) -> Outcome:
        raise AssertionError(body)

    assert run_replay(database_url, read).difference_counts == {}
    assert run_redrive(database_url, read).difference_counts == {}


def killed(_: bytes) -> Outcome:
    return Outcome("parked", "kills_worker", None, None, None)
