"""Tests which batches the ledger counts as lost, and when it can be certain."""

import pytest

from store.ledger.losses import LOST_AFTER, SILENT_AFTER
from tests.support.history.ledger_scene import LedgerScene


def test_a_loss_is_named_while_load_goes_on(scene: LedgerScene) -> None:
    """A busy system is never idle. A check that required an empty stream hid losses as long as events arrived."""
    for number in (1, 2, 5):
        scene.store(number)
    scene.observe(scene.heartbeat(5))
    scene.age(LOST_AFTER + 2)
    scene.store(6)
    scene.observe(scene.heartbeat(9), waiting=40, oldest_ago=1.0)
    totals = scene.read()

    assert scene.lost() == [(3, 4, 20)], "and 7 to 9 are on their way"
    assert (totals.waiting, totals.exact, totals.unknown) == (50, False, ())


@pytest.mark.parametrize("oldest_ago", [LOST_AFTER + 1.0, 60.0])
def test_batches_that_may_wait_in_the_stream_are_not_lost(scene: LedgerScene, oldest_ago: float) -> None:
    """The oldest waiting entry is older than the evidence, so the missing batch may be behind it."""
    for number in (1, 3):
        scene.store(number)
    scene.age(LOST_AFTER + 2)
    scene.observe(scene.heartbeat(3), waiting=5, oldest_ago=oldest_ago)

    assert scene.lost() == []
    assert scene.read().exact


def test_a_successor_that_was_stored_just_now_proves_nothing(scene: LedgerScene) -> None:
    """If two workers store at once, one may still hold the batch when the other has stored the next one."""
    scene.store(1)
    scene.store(3)
    scene.observe(scene.heartbeat(3))

    assert scene.lost() == []


def test_the_last_batches_of_a_writer_are_lost_a_while_after_it_reported_them(scene: LedgerScene) -> None:
    """Redis lost the end of the stream, and no later batch shows the gap."""
    scene.store(1)
    scene.observe(scene.heartbeat(4))
    early = scene.lost()
    scene.age(LOST_AFTER + 2)
    scene.observe(scene.heartbeat(4))

    assert early == []
    assert scene.lost() == [(2, 4, 30)]


def test_batches_that_a_spool_may_hold_are_not_lost_until_it_was_empty_for_a_while(scene: LedgerScene) -> None:
    """Spooled batches enter the stream later than their successors, some at the last moment."""
    scene.store(1)
    scene.store(3)
    scene.age(60)
    scene.observe(scene.heartbeat(3, spooled=10))
    spooled = scene.lost()
    scene.observe(scene.heartbeat(3))
    emptied = scene.lost()
    scene.age(LOST_AFTER + 2)
    scene.observe(scene.heartbeat(3))

    assert (spooled, emptied) == ([], [])
    assert scene.lost() == [(2, 2, 10)]


def test_missing_batches_of_a_silent_writer_are_unknown_until_it_ended(scene: LedgerScene) -> None:
    """Its files may contain the batches. A process that adopts the files, or a person, decides."""
    scene.store(1)
    scene.store(3)
    scene.observe(scene.heartbeat(3))
    scene.age(SILENT_AFTER + 1)
    scene.observe()
    silent, missing = scene.unknown(), scene.lost()
    scene.observe(scene.heartbeat(3, ended=True))
    scene.age(LOST_AFTER + 2)
    scene.observe()

    assert (silent, missing) == (["silent_writer"], [])
    assert scene.unknown() == []
    assert scene.lost() == [(2, 2, 10)]


def test_missing_batches_are_not_lost_while_entries_are_set_aside(scene: LedgerScene) -> None:
    scene.store(1)
    scene.store(3)
    scene.age(LOST_AFTER + 2)
    scene.observe(scene.heartbeat(3), unreadable=1)
    totals = scene.read()

    assert (totals.lost, totals.exact) == ((), False)
    assert [(question.kind, question.count) for question in totals.unknown] == [("unreadable_entries", 1)]


def test_a_batch_that_arrives_later_is_no_longer_lost(scene: LedgerScene) -> None:
    scene.store(1)
    scene.store(4)
    scene.age(LOST_AFTER + 2)
    scene.observe(scene.heartbeat(4))
    lost = scene.lost()
    scene.store(2)

    assert lost == [(2, 3, 20)]
    assert scene.lost() == [(3, 3, 10)]
