"""Events are parsed according to the kind of their sender, and stored with the sender."""

from ingest.queue import contract
from store.ingestion import apply
from store.model.facts import Outcome
from store.postgres import connections
from store.replay import redrive_requests, replay
from store.replay.redrive import Redrive
from store.replay.redrive_requests import RedriveSelection
from store.replay.replay import ReplayPlan
from store.replay.sources import EventParser
from tests.support.history.replaying import fetch_rows, text_event
from worker.drain import decoding
from worker.senders import dispatch
from worker.senders.reasons import Reason
from worker.senders.sak import parser as sak


def test_events_of_one_batch_are_parsed_by_the_kinds_of_their_senders(database_url: str) -> None:
    """An event of an unknown kind is parked with its sender, and a redrive passes the sender to the newer parser."""
    bodies = (text_event("default", 1), text_event("named", 2), text_event("newer", 3))
    senders = ("", "sak:second", "newer:shop")
    raw = contract.RawBatch("b" * 32, 1, 3, (1_790_000_000_000,) * 3, bodies, senders=senders)
    batch = decoding.batch(contract.to_fields(raw))
    with connections.open(database_url, "test") as connection:
        apply.batches(connection, [batch])
    stored = "SELECT e.sender FROM raw_events AS e ORDER BY e.body"
    parked = "SELECT p.reason, p.sender FROM parked_events AS p"
    texts = "SELECT m.session_id, m.message_text FROM whatsapp_messages AS m ORDER BY m.message_text"

    assert fetch_rows(database_url, stored) == [(None,), ("sak:second",), ("newer:shop",)]
    assert fetch_rows(database_url, parked) == [(Reason.UNKNOWN_SENDER.value, "newer:shop")]
    before = fetch_rows(database_url, texts)
    assert [text for _, text in before] == ["default", "named"]
    assert len({session for session, _ in before}) == 1

    def parse_newer(sender: str | None, body: bytes) -> Outcome:
        return sak.parse(body).outcome if sender == "newer:shop" else dispatch.parse(sender or "", body).outcome

    plan = ReplayPlan(EventParser(parse_newer, "newer", rejected_reason="rejected", poison_reason="poison"))
    with replay.open_connection(database_url) as connection:
        job = Redrive(connection, plan, redrive_requests.select_event_ids(connection, RedriveSelection()))
        while job.step():
            pass

    assert fetch_rows(database_url, parked) == []
    assert [text for _, text in fetch_rows(database_url, texts)] == ["default", "named", "newer"]


def test_equal_bytes_of_two_senders_are_two_events_unless_both_are_of_sak() -> None:
    body = text_event("twice", 1)
    senders = ("", "sak:second", "newer:shop", "newer:other")
    raw = contract.RawBatch("c" * 32, 1, 4, (1, 2, 3, 4), (body,) * 4, senders=senders)

    default, second, shop, other = (event.digest for event in decoding.batch(contract.to_fields(raw)).events)

    assert default == second
    assert len({default, shop, other}) == 3
