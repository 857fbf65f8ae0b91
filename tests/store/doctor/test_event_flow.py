"""What can become of events, done to a real system."""

import hashlib
import time
import uuid
from pathlib import Path

from ingest.queue import contract
from ingest.spool_file import SpoolFile
from store.ingestion import apply
from store.ledger import stream_status
from store.model.batches import Batch, Event
from store.model.facts import Outcome
from store.postgres import connections
from tests.store.doctor.conftest import Patient


def tell(patient: Patient, outcome: Outcome, received_at: int) -> None:
    """One event, through the store's own door."""
    event = Event(0, received_at, b"{}", hashlib.sha256(uuid.uuid4().bytes).digest(), outcome)
    with connections.open(patient.environ["DATABASE_URL"], "test") as connection:
        apply.apply(connection, [Batch(uuid.uuid4().hex, 1, 1, (event,))])


def test_a_system_without_a_worker_is_broken(patient: Patient) -> None:
    """Everything is acknowledged and nothing is stored: from outside it looks alive."""
    patient.run("UPDATE pulse SET as_of = now() - interval '1 minute'")
    old = patient.answers()
    patient.run("DELETE FROM pulse")
    never = patient.answers()

    assert (old["worker.pulse"], old["ledger"]) == ("broken", "warning")
    assert never["worker.pulse"] == "broken"


def test_events_that_wait_for_long_are_told(patient: Patient) -> None:
    for seconds, answer in ((5, "ok"), (120, "warning"), (3600, "broken")):
        with connections.open(patient.environ["DATABASE_URL"], "test") as connection:
            stream_status.record(connection, length=3, oldest_at=int((time.time() - seconds) * 1000), writers=())

        assert patient.answers()["queue.age"] == answer


def test_acknowledged_events_that_are_nowhere_are_told(patient: Patient) -> None:
    """The one thing that must never happen; whoever finds out first should be the operator."""
    with connections.open(patient.environ["DATABASE_URL"], "test") as connection:
        stream_status.record(
            connection, length=0, oldest_at=None, writers=[stream_status.Writer(uuid.uuid4().hex, 4, 17, 0)]
        )
    waiting = patient.answers()["ledger"]
    patient.run("UPDATE pulse SET empty_since = now() - interval '1 minute'")
    found = patient.found()["ledger"]

    assert waiting == "ok", "what may be on its way is not lost"
    assert found.answer == "broken"
    assert "17 acknowledged events" in found.sentence


def test_a_spool_that_is_in_use_is_told_by_whoever_spoke_last(patient: Patient) -> None:
    with connections.open(patient.environ["DATABASE_URL"], "test") as connection:
        stream_status.record(
            connection, length=0, oldest_at=None, writers=[stream_status.Writer(uuid.uuid4().hex, 1, 0, 250)]
        )
    found = patient.found()["spool.reported"]

    assert found.answer == "warning"
    assert "250 events" in found.sentence


def test_a_spool_on_this_machine_is_told_held_or_left(patient: Patient, tmp_path: Path) -> None:
    """What an ingest holds drains by itself; what a dead one left waits for somebody to start one."""
    (tmp_path / "spool").mkdir()
    file = SpoolFile.hold(tmp_path / "spool" / "000000000001-aa.spool")
    assert file
    empty = patient.answers()["spool.files"]
    file.append(contract.to_fields(contract.Batch("ab" * 16, 1, 2, (1, 2), (b"x" * 100_000, b"y"))), 2)
    held = patient.answers()["spool.files"]
    file.close()
    left = patient.found()["spool.files"]

    assert (empty, held, left.answer) == ("ok", "warning", "broken")
    assert "2 acknowledged events" in left.sentence
    again = SpoolFile.hold(file.path)
    assert again
    assert again.events == 2, "looking takes nothing away"
    again.close()


def test_a_spool_that_may_outgrow_its_disk_is_told(patient: Patient) -> None:
    assert patient.answers(SPOOL_MAX_BYTES=str(1 << 60))["spool.bound"] == "warning"


def test_parked_events_are_told_by_reason_while_they_are_news(patient: Patient) -> None:
    """Yesterday's are known; a monitor that never turns green is switched off."""
    tell(patient, Outcome("parked", "unknown_event", "s1", "call.missed", None), 1_734_621_000_000)
    fresh = patient.found()["events.parked"]
    patient.run("UPDATE parked SET parked_at = now() - interval '3 days'")
    old = patient.found()["events.parked"]

    assert (fresh.answer, old.answer) == ("warning", "ok")
    assert "unknown_event: 1" in fresh.sentence


def test_what_a_session_never_told_and_since_when_it_is_silent_is_told(patient: Patient) -> None:
    """A webhook that is subscribed to the wrong events looks exactly like a quiet day."""
    now = time.time_ns() // 1_000_000
    tell(patient, Outcome("noise", None, "talks", "message.received", now), now)
    talks = patient.found()["sessions"]
    patient.run("UPDATE session_events SET last_at = last_at - 2 * 86400000")
    silent = patient.found()["sessions"]
    patient.run("UPDATE session_events SET event = 'status.change'")
    never = patient.found()["sessions"]

    assert (talks.answer, silent.answer, never.answer) == ("ok", "warning", "warning")
    assert "never seen: message.sent, status.change" in talks.sentence
