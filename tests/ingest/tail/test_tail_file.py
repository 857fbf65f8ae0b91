"""Tests tail files, which are written by one process and read by the next."""

import json
import os
from pathlib import Path

import pytest

from ingest.redelivery.pace import MAX_BATCHES
from ingest.tail.tail_file import TailFile
from ingest.writer_position import WriterPosition
from tests.support.stream.tail_files import OTHER, WRITER, adopt, entry


def test_batches_are_read_back_with_the_positions_of_their_writers(tmp_path: Path) -> None:
    file = TailFile.create(tmp_path, WriterPosition(WRITER, 7, 70))
    file.append([entry(8), entry(9), entry(3, OTHER)], 1.0)
    file.close()
    [orphan] = adopt(tmp_path)
    positions, groups = orphan.read()

    assert [(group.entries, group.events) for group in groups] == [
        ([entry(8)], 1),
        ([entry(9)], 1),
        ([entry(3, OTHER)], 1),
    ]
    assert positions == [WriterPosition(WRITER, 9, 9), WriterPosition(OTHER, 3, 3)]


def test_a_file_without_batches_still_names_its_writer(tmp_path: Path) -> None:
    """An idle process may die, too, and the process that adopts its files must know which writer to report as ended."""
    TailFile.create(tmp_path, WriterPosition(WRITER, 7, 70)).close()
    [orphan] = adopt(tmp_path)

    assert orphan.read() == ([WriterPosition(WRITER, 7, 70)], [])


def test_the_file_of_a_living_process_is_not_adopted(tmp_path: Path) -> None:
    file = TailFile.create(tmp_path, WriterPosition(WRITER))
    while_it_lives = adopt(tmp_path)
    file.close()

    assert while_it_lives == []
    assert len(adopt(tmp_path)) == 1
    assert adopt(tmp_path) == []  # the first adopter holds it


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    """The file contains messages."""
    file = TailFile.create(tmp_path / "spool", WriterPosition(WRITER))

    assert file.path.stat().st_mode & 0o777 == 0o600
    assert file.path.parent.stat().st_mode & 0o777 == 0o700


def test_as_many_batches_as_the_spool_sends_at_once_are_read_back(tmp_path: Path) -> None:
    """They are more than the system writes in one call."""
    batches = [entry(number) for number in range(1, MAX_BATCHES + 1)]
    file = TailFile.create(tmp_path, WriterPosition(WRITER))
    part = file.append(batches, 1.0)

    assert part.try_read() == batches


@pytest.mark.parametrize("damage", ["cut", "zeroed", "empty", "extended"])
def test_it_is_read_up_to_the_first_damage(tmp_path: Path, damage: str) -> None:
    """A process may die during a write, or a host before its disk has all data.

    Garbage must not be sent as an event.
    """
    file = TailFile.create(tmp_path, WriterPosition(WRITER))
    file.append([entry(1)], 1.0)
    whole = file.size_bytes
    file.append([entry(2, body=b"y" * 5000)], 1.0)
    if damage == "cut":
        os.truncate(file.path, file.size_bytes - 1)
    elif damage == "extended":
        os.truncate(file.path, file.size_bytes + 1000)
    elif damage == "zeroed":
        with file.path.open("r+b") as opened:
            opened.seek(whole + 1000)
            opened.write(bytes(1000))
    else:
        os.truncate(file.path, 0)
        os.utime(file.path, (0, 0))
    file.close()
    [orphan] = adopt(tmp_path)
    positions, groups = orphan.read()

    assert positions[0].writer == WRITER
    readable = {"empty": [], "extended": [[entry(1)], [entry(2, body=b"y" * 5000)]]}
    assert [group.entries for group in groups] == readable.get(damage, [[entry(1)]])


def test_a_batch_of_a_later_version_is_sent_as_it_is(tmp_path: Path) -> None:
    """After a rollback, the older process finds the tail of the newer one."""
    later = {b"head": json.dumps({"v": 999}).encode(), b"bodies": b"?"}
    file = TailFile.create(tmp_path, WriterPosition(WRITER))
    file.append([later], 1.0)
    file.close()
    [orphan] = adopt(tmp_path)

    assert [group.entries for group in orphan.read()[1]] == [[later]]
