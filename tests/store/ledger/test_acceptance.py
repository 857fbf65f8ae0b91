"""A loss that a person has accepted stays visible, but no longer raises an alarm."""

import getpass
import json
from typing import Any

import pytest

from store.__main__ import main
from store.ledger import acceptance
from store.ledger.acceptance import NotAcceptableError
from store.ledger.losses import LOST_AFTER, SILENT_AFTER, BatchRange
from tests.support.history.ledger_scene import LedgerScene


def lose_two_of_five(scene: LedgerScene) -> None:
    for number in (1, 2, 5):
        scene.store(number)
    scene.age(LOST_AFTER + 2)
    scene.observe(scene.heartbeat(5))


def accept(scene: LedgerScene, first: int, last: int) -> None:
    acceptance.accept_loss(
        scene.connection, BatchRange(scene.writer, first, last), reason="the disk of Redis burnt", accepted_by="asha"
    )


def test_an_accepted_loss_is_shown_apart_and_the_rest_is_exact_again(scene: LedgerScene) -> None:
    lose_two_of_five(scene)
    before = scene.read()
    accept(scene, 3, 4)
    after = scene.read()

    assert (before.exact, before.waiting, before.written_off) == (False, 20, 0)
    assert (after.exact, after.waiting, after.written_off, after.lost) == (True, 0, 20, ())
    assert after.received == after.stored + after.written_off
    [loss] = after.accepted_losses
    assert (loss.writer, loss.first, loss.last, loss.events) == (scene.writer, 3, 4, 20)
    assert (loss.reason, loss.accepted_by) == ("the disk of Redis burnt", "asha")


def test_the_next_loss_behind_an_accepted_one_is_named_alone(scene: LedgerScene) -> None:
    lose_two_of_five(scene)
    accept(scene, 3, 4)
    scene.store(8)
    scene.age(LOST_AFTER + 2)
    scene.observe(scene.heartbeat(9))
    scene.age(LOST_AFTER + 2)
    scene.observe(scene.heartbeat(9))

    assert scene.lost() == [(6, 7, 20), (9, 9, 10)]
    accept(scene, 6, 7)
    accept(scene, 9, 9)
    scene.observe(scene.heartbeat(11))
    scene.age(LOST_AFTER + 2)
    scene.observe(scene.heartbeat(11))

    assert scene.lost() == [(10, 11, 20)], "what follows the last accepted batch"
    assert scene.read().written_off == 50


def test_an_accepted_batch_that_arrives_later_counts_as_stored(scene: LedgerScene) -> None:
    """A disk may be found years later. Nothing is counted twice, and the decision stays recorded."""
    lose_two_of_five(scene)
    accept(scene, 3, 4)
    scene.store(3)
    totals = scene.read()

    assert (totals.stored, totals.written_off, totals.waiting, totals.exact) == (40, 10, 0, True)
    assert [(loss.first, loss.last, loss.events) for loss in totals.accepted_losses] == [(3, 4, 20)]


def test_only_lost_batches_can_be_accepted(scene: LedgerScene) -> None:
    """This includes half of a loss, a stored or waiting batch, and anything while no worker observes the stream."""
    lose_two_of_five(scene)
    for first, last in ((3, 3), (2, 4), (1, 1), (6, 6)):
        with pytest.raises(NotAcceptableError, match=f"lost: {scene.writer}:3-4"):
            accept(scene, first, last)
    scene.age(60)
    with pytest.raises(NotAcceptableError, match="no worker is running: start one"):
        accept(scene, 3, 4)

    assert scene.read().accepted_losses == ()


def test_the_end_of_a_silent_writer_can_be_accepted_and_then_the_loss(scene: LedgerScene) -> None:
    """If a machine is destroyed with its spool, its writer is accepted as ended first, and then its batches as lost."""
    scene.store(1)
    scene.store(3)
    scene.observe(scene.heartbeat(4, spooled=10))
    with pytest.raises(NotAcceptableError, match="does not wait for writer"):
        acceptance.accept_end(scene.connection, scene.writer, reason="burnt", accepted_by="asha")
    scene.age(SILENT_AFTER + 1)
    scene.observe()
    acceptance.accept_end(scene.connection, scene.writer, reason="burnt", accepted_by="asha")
    scene.age(LOST_AFTER + 2)
    scene.observe()

    assert scene.unknown() == []
    assert scene.lost() == [(2, 2, 10), (4, 4, 10)]
    for number in (2, 4):
        accept(scene, number, number)
    assert scene.read().exact
    assert [loss.first for loss in scene.read().accepted_losses] == [None, 2, 4]


def run(database_url: str, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = main(["ledger", *arguments], {"DATABASE_URL": database_url})
    printed = capsys.readouterr()
    return code, printed.out + printed.err


def test_the_command_names_the_loss_accepts_it_and_exits_with_0(
    scene: LedgerScene, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The printed loss is a valid argument, and a monitor that checks the exit code is green afterwards."""
    lose_two_of_five(scene)
    name = f"{scene.writer}:3-4"
    code, printed = run(database_url, capsys)
    assert (code, f"LOST: 20 events of {name}" in printed) == (1, True)
    refused, why = run(database_url, capsys, "--accept-loss", f"{scene.writer}:2-4", "--reason", "fire")
    assert (refused, "Nothing was recorded" in why) == (2, True)
    unexplained, why = run(database_url, capsys, "--accept-loss", name)
    assert (unexplained, "--reason" in why) == (2, True)
    code, printed = run(database_url, capsys, "--accept-loss", name, "--reason", "fire")

    assert code == 0
    assert f"accepted: the loss of 20 events of {name}" in printed
    assert f"{getpass.getuser()}: fire" in printed
    assert printed.rstrip().endswith("exact")
    _, printed = run(database_url, capsys, "--json")
    document: dict[str, Any] = json.loads(printed)
    assert (document["written_off"], document["exact"], len(document["accepted_losses"])) == (20, True, 1)


def test_the_command_names_places_that_could_not_be_checked(
    scene: LedgerScene, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    scene.store(1)
    scene.observe(scene.heartbeat(1), unreadable=2)
    code, printed = run(database_url, capsys)

    assert code == 3
    assert "UNKNOWN: 2 entries of the stream are set aside" in printed
    assert printed.rstrip().endswith("NOT EXACT: acknowledged events may be lost")
