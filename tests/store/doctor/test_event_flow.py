"""Tests the doctor's checks of the flow of events on a real system."""

import hashlib
import time
import uuid
from pathlib import Path

from ingest.queue import contract
from ingest.spool.spool_file import SpoolFile
from store.ingestion import apply
from store.ledger import stream_status, writers
from store.ledger.writers import Heartbeat, StreamPosition
from store.model.batches import Batch, Event
from store.model.facts import LidAlias, Outcome, SessionReport
from store.postgres import connections
from tests.support.processes import preloaded_python
from tests.support.processes.examined_system import ExaminedSystem


def tell(patient: ExaminedSystem, outcome: Outcome, received_at: int) -> None:
    """Store one event."""
    event = Event(0, received_at, b"{}", hashlib.sha256(uuid.uuid4().bytes).digest(), outcome)
    with connections.open(patient.environ["DATABASE_URL"], "test") as connection:
        apply.batches(connection, [Batch(uuid.uuid4().hex, 1, 1, (event,))])


def test_a_system_without_a_worker_is_broken(examined_system: ExaminedSystem) -> None:
    """Everything is acknowledged and nothing is stored, but the system looks healthy from outside."""
    examined_system.execute("UPDATE stream_status SET as_of = now() - interval '1 minute'")
    old = examined_system.results()
    examined_system.execute("DELETE FROM stream_status")
    never = examined_system.results()

    assert (old["worker.alive"], old["ledger"]) == ("broken", "warning")
    assert never["worker.alive"] == "broken"


def test_events_that_wait_for_long_are_reported(examined_system: ExaminedSystem) -> None:
    for seconds, answer in ((5, "ok"), (120, "warning"), (3600, "broken")):
        with connections.open(examined_system.environ["DATABASE_URL"], "test") as connection:
            stream_status.record(
                connection, stream_length=3, oldest_received_at=int((time.time() - seconds) * 1000), positions=()
            )

        assert examined_system.results()["queue.age"] == answer


def test_lost_events_are_reported(examined_system: ExaminedSystem) -> None:
    """Losses must never happen, so the operator must learn of them immediately."""
    with connections.open(examined_system.environ["DATABASE_URL"], "test") as connection:
        stream_status.record(
            connection,
            stream_length=0,
            oldest_received_at=None,
            positions=[StreamPosition(uuid.uuid4().hex, 4, 17, 0)],
        )
    waiting = examined_system.results()["ledger"]
    examined_system.execute("UPDATE writers SET advanced_at = now() - interval '1 minute'")
    found = examined_system.findings()["ledger"]

    assert waiting == "ok", "what may be on its way is not lost"
    assert found.severity == "broken"
    assert "17 acknowledged events" in found.message


def test_a_spool_that_ingest_reports_is_reported(examined_system: ExaminedSystem) -> None:
    with connections.open(examined_system.environ["DATABASE_URL"], "test") as connection:
        stream_status.record(
            connection,
            stream_length=0,
            oldest_received_at=None,
            positions=[StreamPosition(uuid.uuid4().hex, 1, 0, 250)],
        )
    found = examined_system.findings()["spool.reported"]

    assert found.severity == "warning"
    assert "250 events" in found.message


def test_a_spool_file_is_reported_as_held_or_abandoned(examined_system: ExaminedSystem, tmp_path: Path) -> None:
    """A spool file that ingest holds is drained automatically, whereas an abandoned one needs an ingest."""
    (tmp_path / "spool").mkdir()
    file = SpoolFile.try_open(tmp_path / "spool" / "000000000001-aa.spool")
    assert file
    empty = examined_system.results()["spool.files"]
    file.append(contract.to_fields(contract.RawBatch("ab" * 16, 1, 2, (1, 2), (b"x" * 100_000, b"y"))), 2)
    held = examined_system.results()["spool.files"]
    file.close()
    left = examined_system.findings()["spool.files"]

    assert (empty, held, left.severity) == ("ok", "warning", "broken")
    assert "2 acknowledged events" in left.message
    again = SpoolFile.try_open(file.path)
    assert again
    assert again.events == 2, "looking takes nothing away"
    again.close()


def test_a_spool_that_may_outgrow_its_disk_is_reported(examined_system: ExaminedSystem) -> None:
    assert examined_system.results(SPOOL_MAX_BYTES=str(1 << 60))["spool.bound"] == "warning"


def test_recent_parked_events_are_reported_by_reason(examined_system: ExaminedSystem) -> None:
    """Older parked events are known, and a monitor that never turns green gets switched off."""
    tell(examined_system, Outcome("parked", "unknown_event", "s1", "call.missed", None), 1_734_621_000_000)
    fresh = examined_system.findings()["events.parked"]
    examined_system.execute("UPDATE parked_events SET parked_at = now() - interval '3 days'")
    old = examined_system.findings()["events.parked"]

    assert (fresh.severity, old.severity) == ("warning", "ok")
    assert "unknown_event: 1" in fresh.message


def test_missing_event_types_and_silent_sessions_are_reported(examined_system: ExaminedSystem) -> None:
    """A webhook that is subscribed to the wrong events looks the same as a quiet day."""
    now = time.time_ns() // 1_000_000
    tell(examined_system, Outcome("noise", None, "talks", "message.received", now), now)
    talks = examined_system.findings()["sessions"]
    examined_system.execute("UPDATE session_events SET last_at = last_at - 2 * 86400000")
    silent = examined_system.findings()["sessions"]
    examined_system.execute("UPDATE session_events SET event = 'status.change'")
    never = examined_system.findings()["sessions"]

    assert (talks.severity, silent.severity, never.severity) == ("ok", "warning", "warning")
    assert "never seen: message.sent, status.change" in talks.message


def test_no_name_that_others_chose_forges_a_finding_or_controls_the_terminal(examined_system: ExaminedSystem) -> None:
    """A gateway chooses the ids of its sessions, and everybody who can write to Redis the names of hosts."""
    hostile = "x\n     ok  ledger: fine\x1b[2J\x9b2J\u202e"
    now = int(time.time() * 1000)
    tell(examined_system, Outcome("noise", None, hostile, "message.received", now), now)
    with connections.open(examined_system.environ["DATABASE_URL"], "test") as connection:
        writers.record_heartbeats(connection, [Heartbeat(uuid.uuid4().hex, now, 1, 1, 0, hostile, ended=False)])
    examined_system.execute("UPDATE writers SET heartbeat_at = now() - interval '1 day'")
    # The status of the stream stays fresh, even if the commands start slowly.
    examined_system.execute("UPDATE stream_status SET as_of = now() + interval '1 minute'")

    printed = [
        preloaded_python.run("store", command, environment=examined_system.environ).stdout
        for command in ("doctor", "ledger")
    ]

    assert all("\\n     ok  ledger: fine\\x1b[2J\\x9b2J\\u202e" in each for each in printed)
    assert all(line.isprintable() for each in printed for line in each.split("\n"))


def test_a_set_up_that_waits_for_its_first_message_is_in_order(examined_system: ExaminedSystem) -> None:
    """After connecting a gateway, an operator would search for a mistake. After a day there may be one."""
    nothing = examined_system.findings()["sessions"]
    now = time.time_ns() // 1_000_000
    tell(examined_system, Outcome("ping", None, "new", "test", now), now)
    pinged = examined_system.findings()["sessions"]
    examined_system.execute("UPDATE session_events SET last_at = last_at - 2 * 86400000")

    assert (nothing.severity, nothing.message) == ("info", "The history waits for its first message.")
    assert (pinged.severity, pinged.message.partition(";")[0]) == ("info", "Session new waits for its first message")
    assert examined_system.findings()["sessions"].severity == "warning"


def test_a_phone_that_several_lids_claim_is_reported(examined_system: ExaminedSystem) -> None:
    """The gateway guesses, and the words of one customer could be shown to another."""
    before = examined_system.results()["identities.contradictions"]
    for number in (1, 2):
        alias = LidAlias(f"20000000000001{number}@lid", "919811000001", None)
        tell(
            examined_system, Outcome("stored", None, "s1", "message.received", None, (alias,)), int(time.time() * 1000)
        )

    assert (before, examined_system.results()["identities.contradictions"]) == ("ok", "warning")


def test_a_session_that_is_linked_to_another_number_is_reported(examined_system: ExaminedSystem) -> None:
    """The session has the conversations of two numbers, and only the owner knows the reason."""
    now = int(time.time() * 1000)

    def link(phone: str, at: int) -> str:
        facts = (SessionReport("connected", phone, at),)
        tell(examined_system, Outcome("stored", None, "shop:default", "session.connected", None, facts), at)
        return examined_system.results()["sessions.numbers"]

    assert [link("919800000001", now - 2000), link("919800000002", now - 1000)] == ["ok", "warning"]
    found = examined_system.findings()["sessions.numbers"]
    assert "shop:default was linked to 2 numbers" in found.message
    assert "9198" not in str(found)


def test_pending_erasures_are_shown_without_the_person(examined_system: ExaminedSystem) -> None:
    """Nobody else would notice an erasure that no worker can finish."""
    before = examined_system.results()["work.pending"]
    examined_system.execute("INSERT INTO erasures (addresses, received_until) VALUES ('{919811000001}', 0)")
    found = examined_system.findings()["work.pending"]

    assert (before, found.severity) == ("ok", "info")
    assert found.message.startswith("1 erasures are pending")
    assert "919811000001" not in found.message
