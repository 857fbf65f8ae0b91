"""Tests that the ledger is exact only if every writer has reported."""

from store.ledger import stream_status
from store.ledger.losses import SILENT_AFTER
from store.ledger.writers import StreamPosition
from tests.support.history.ledger_scene import LedgerScene


def test_a_writer_that_reports_raises_no_question_even_with_a_spool(scene: LedgerScene) -> None:
    """It reports its spooled events every second, so they count as waiting."""
    scene.observe(scene.heartbeat(4, spooled=40))
    totals = scene.read()

    assert (totals.exact, totals.received, totals.waiting) == (True, 40, 40)


def test_a_silent_writer_makes_the_ledger_inexact_and_is_named(scene: LedgerScene) -> None:
    """19,853 acknowledged events were in the spool of a dead process while the ledger claimed to be exact."""
    scene.store(1)
    scene.observe(scene.heartbeat(1, spooled=7))
    scene.age(SILENT_AFTER + 1)
    scene.observe()
    totals = scene.read()
    [question] = totals.unknown

    assert not totals.exact
    assert (question.kind, question.writer, question.host, question.count) == (
        "silent_writer",
        scene.writer,
        "ingest-a",
        7,
    )
    assert f"Writer {scene.writer} on host ingest-a has not reported since" in question.message
    assert "SPOOL_DIR" in question.remedy


def test_a_writer_that_ended_raises_no_question(scene: LedgerScene) -> None:
    scene.store(1)
    scene.observe(scene.heartbeat(1, ended=True))
    scene.age(3600)
    scene.observe()

    assert scene.read().exact


def test_a_redis_that_lost_the_end_of_a_writer_does_not_take_it_back(scene: LedgerScene) -> None:
    """A promoted replica has an older report."""
    scene.store(1)
    older = scene.heartbeat(1)
    scene.observe(scene.heartbeat(1, ended=True))
    scene.observe(older)
    scene.age(3600)
    scene.observe()

    assert scene.read().exact


def test_a_heartbeat_that_stands_still_is_silence(scene: LedgerScene) -> None:
    """The last report of a dead writer stays in Redis. Only a report that changes shows that the writer is alive."""
    last = scene.heartbeat(1)
    scene.store(1)
    scene.observe(last)
    scene.age(SILENT_AFTER + 1)
    scene.observe(last)

    assert scene.unknown() == ["silent_writer"]


def test_a_paused_writer_that_reports_again_is_known_again(scene: LedgerScene) -> None:
    scene.store(1)
    scene.observe(scene.heartbeat(1))
    scene.age(SILENT_AFTER + 1)
    scene.observe()
    paused = scene.unknown()
    scene.observe(scene.heartbeat(1))

    assert paused == ["silent_writer"]
    assert scene.unknown() == []


def test_an_ingest_without_heartbeats_is_judged_by_its_last_entry(scene: LedgerScene) -> None:
    """It sends no heartbeats, so its silence means nothing, but its last entry shows whether the spool was empty."""
    for spooled, expected in ((3, ["spooled_events"]), (0, [])):
        stream_status.record(
            scene.connection,
            stream_length=0,
            oldest_received_at=None,
            positions=[StreamPosition(scene.writer, 10 - spooled, 100, spooled)],
        )
        scene.age(3600)
        scene.observe()

        assert scene.unknown() == expected


def test_without_a_worker_nothing_is_exact(scene: LedgerScene) -> None:
    scene.store(1)
    never = scene.read()
    scene.observe()
    running = scene.read()
    scene.age(60)
    gone = scene.read()

    assert [one.exact for one in (never, running, gone)] == [False, True, False]
    assert [[question.kind for question in one.unknown] for one in (never, running, gone)] == [
        ["no_worker"],
        [],
        ["no_worker"],
    ]
