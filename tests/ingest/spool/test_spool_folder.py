"""Tests which files of a spool are written, which are read, and when they are removed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.spool import spool_folder
from ingest.spool.spool_folder import SpoolChunk, SpoolFolder

BODY = b"x" * (1 << 20)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[SpoolFolder]:
    opened = SpoolFolder(tmp_path)
    opened.maintain()
    yield opened
    opened.close()


def append(folder: SpoolFolder, count: int) -> None:
    for number in range(count):
        folder.append({b"head": b"%d" % number, b"bodies": BODY}, events=3)


def read(folder: SpoolFolder) -> SpoolChunk:
    chunk = folder.read_oldest(8 << 20, 128)
    assert chunk is not None
    return chunk


def state(folder: SpoolFolder) -> tuple[int, int]:
    """Return the numbers of waiting events and batches."""
    events = sum(file.events for file in folder.files)
    batches = sum(file.size_bytes for file in folder.files) // len(BODY)
    return events, batches


def test_a_repeated_removal_changes_nothing(folder: SpoolFolder) -> None:
    """A removal that times out is repeated, and used to be subtracted twice."""
    append(folder, 10)
    first = read(folder)
    overlapping = read(folder)
    for chunk in (first, overlapping, first):
        folder.remove(chunk)
    left = 10 - len(first.batches)

    assert state(folder) == (3 * left, left)
    assert read(folder).batches[0].fields[b"head"] == b"%d" % len(first.batches)


def test_room_returns_while_batches_keep_coming(folder: SpoolFolder, tmp_path: Path) -> None:
    """If Redis refuses now and then, a single file would never be empty and would grow for ever."""
    append(folder, 2 * (spool_folder.FILE_BYTES >> 20) + 1)
    before = len(list(tmp_path.glob("*.spool")))
    while folder.files[0] is (chunk := read(folder)).file and len(folder.files) == before:
        folder.remove(chunk)

    assert before == 3
    assert len(list(tmp_path.glob("*.spool"))) == 2


def test_a_closed_folder_leaves_what_waits_and_nothing_else(folder: SpoolFolder, tmp_path: Path) -> None:
    """Every later process would adopt and remove files without batches."""
    append(folder, 2)
    folder.close()
    left = [path.suffix for path in sorted(tmp_path.iterdir())]
    heir = SpoolFolder(tmp_path)
    heir.maintain()
    heads = [batch.fields[b"head"] for batch in read(heir).batches]
    heir.remove(read(heir))
    heir.close()

    assert left == [".lock", ".spool"]
    assert heads == [b"0", b"1"]
    assert list(tmp_path.iterdir()) == []
