"""Noise is kept with its reason, and events that were classified as noise by mistake can be restored."""

import json

from store.ledger import ledger
from store.model.facts import Outcome
from store.postgres import connections
from tests.support.generated_history import batches, world
from tests.support.history.faulty_parsers import parse_correctly
from tests.support.history.replaying import fetch_rows, run_redrive, run_replay, store_batches, text_event

REASONS = "SELECT reason, count(*) FROM noise_events GROUP BY reason ORDER BY reason"
LEDGER = """
SELECT sum(b.stored) + coalesce((SELECT sum(c.stored) FROM ledger_corrections AS c), 0),
    sum(b.noise) + coalesce((SELECT sum(c.noise) FROM ledger_corrections AS c), 0)
FROM batches AS b
"""


def parse_as_before(body: bytes) -> Outcome:
    """Parse the body as an earlier parser, which took the first field of a message for its type."""
    fields = json.loads(body)
    if fields.get("type") in ("messageContextInfo", "senderKeyDistributionMessage"):
        return Outcome("noise", "context_only", fields["sessionId"], fields["event"], None)
    return parse_correctly(body)


def event(number: int) -> tuple[bytes, int]:
    return text_event(f"text {number}", number), world.BASE_TIME


def hidden(number: int) -> tuple[bytes, int]:
    """Return a message whose first field is its context."""
    return text_event("", number, type="messageContextInfo"), world.BASE_TIME


def vote(number: int) -> tuple[bytes, int]:
    return text_event("", number, type="pollUpdateMessage"), world.BASE_TIME


def test_noise_is_kept_with_its_reason(database_url: str) -> None:
    """Whether something was lost can only be decided from the event and its reason."""
    store_batches(database_url, [batches.make_batch([event(1), vote(2), vote(2), vote(3)])], parse_correctly)

    assert fetch_rows(database_url, REASONS) == [("poll_vote", 2)]
    kept = fetch_rows(database_url, "SELECT count(*) FROM noise_events JOIN raw_events USING (event_id, digest)")
    assert kept == [(2,)]


def test_a_replay_restores_messages_that_were_taken_for_noise(database_url: str) -> None:
    """The database is that of the previous release, with noise that has no list and contains messages."""
    events = [event(1), hidden(2), hidden(3), vote(4), event(5)]
    store_batches(database_url, [batches.make_batch(events)], parse_as_before)
    fetch_rows(database_url, "TRUNCATE noise_events")
    assert fetch_rows(database_url, LEDGER) == [(2, 3)]

    found = run_replay(database_url, parse_correctly).difference_counts
    again = run_replay(database_url, parse_correctly).difference_counts

    assert (found["event noise to stored"], found["message added"]) == (2, 2)
    assert again == {}
    rows = fetch_rows(database_url, "SELECT message_type, raw_type, unread FROM whatsapp_messages ORDER BY timestamp")
    unknown = ("unknown", "messageContextInfo", True)
    assert rows == [("text", "conversation", True), unknown, unknown, ("text", "conversation", True)]
    assert fetch_rows(database_url, "SELECT unread FROM chats") == [(4,)]
    assert fetch_rows(database_url, REASONS) == [("poll_vote", 1)]
    assert fetch_rows(database_url, LEDGER) == [(4, 1)]
    with connections.open(database_url, "test") as connection:
        read = ledger.read(connection)
    assert (read.stored, read.noise) == (4, 1)


def test_noise_is_retried_alone(database_url: str) -> None:
    """If only one reason of noise is understood better, the whole history need not be read."""
    events = [event(1), hidden(2), vote(3), (b"not JSON", world.BASE_TIME)]
    store_batches(database_url, [batches.make_batch(events)], lambda body: parked(body) or parse_as_before(body))

    assert run_redrive(database_url, parse_correctly, kind="parked").event_count == 1
    retried = run_redrive(database_url, parse_correctly, kind="noise")

    assert retried.event_count == 2
    assert dict(retried.difference_counts) == {"event noise to stored": 1, "message added": 1}
    assert fetch_rows(database_url, REASONS) == [("poll_vote", 1)]


def test_noise_that_becomes_parked_is_on_one_list(database_url: str) -> None:
    store_batches(database_url, [batches.make_batch([vote(1)])], parse_correctly)

    run_replay(database_url, lambda _: Outcome("parked", "not_known_yet", None, None, None))
    assert fetch_rows(database_url, "SELECT reason FROM parked_events") == [("not_known_yet",)]
    assert fetch_rows(database_url, REASONS) == []

    run_replay(database_url, parse_correctly)
    assert fetch_rows(database_url, "SELECT reason FROM parked_events") == []
    assert fetch_rows(database_url, REASONS) == [("poll_vote", 1)]


def parked(body: bytes) -> Outcome | None:
    return parse_correctly(body) if body == b"not JSON" else None
