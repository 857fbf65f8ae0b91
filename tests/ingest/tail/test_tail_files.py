"""Tests the tail files of a process: when they are replaced, and that a slow disk does not delay acknowledgements."""

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest

from ingest.queue import contract
from ingest.tail.tail_files import RETRY_SECONDS, TOO_SLOW, TailFiles
from ingest.writer_position import WriterPosition
from tests.support.stream.tail_files import OTHER, WRITER, adopt, entry
from tests.support.waiting import wait_until

SECONDS = 10.0


def run(
    scenario: Callable[[TailFiles], Coroutine[object, object, None]], directory: Path, max_bytes: int = 1 << 20
) -> None:
    async def tell() -> None:
        files = TailFiles(directory, SECONDS, max_bytes, WriterPosition(WRITER))
        await scenario(files)
        await files.close()

    asyncio.run(tell())


async def write(files: TailFiles, number: int, at: float, body: bytes = b"body") -> None:
    await finish(files, files.write([entry(number, body=body)], len(body), at).ticket)


async def maintain(files: TailFiles, position: WriterPosition, keep_since: float) -> None:
    files.maintain(position, keep_since)
    await finish(files, files.submitted)


async def finish(files: TailFiles, ticket: int) -> None:
    await asyncio.to_thread(wait_until, lambda: files.finished >= ticket)


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def empty(directory: Path) -> None:
    for path in directory.iterdir():
        path.unlink()


def test_files_whose_batches_are_old_enough_are_deleted(tmp_path: Path) -> None:
    """Messages must not stay on this disk for longer than needed."""

    async def scenario(files: TailFiles) -> None:
        now = time.monotonic()
        await write(files, 1, now)
        await maintain(files, WriterPosition(WRITER, 1, 1), now)
        before = names(tmp_path)
        await maintain(files, WriterPosition(WRITER, 1, 1), now + 1)

        assert len(before) == len(names(tmp_path)) == 1
        assert names(tmp_path) != before

    run(scenario, tmp_path)
    [orphan] = adopt(tmp_path)

    assert orphan.read() == ([WriterPosition(WRITER, 1, 1)], [])


def test_the_oldest_files_make_room_for_the_newest(tmp_path: Path) -> None:
    async def scenario(files: TailFiles) -> None:
        for number in range(1, 101):
            await write(files, number, time.monotonic(), os.urandom(1000))

    run(scenario, tmp_path, max_bytes=20_000)
    numbers = [
        contract.from_fields(group.entries[0]).number for orphan in adopt(tmp_path) for group in orphan.read()[1]
    ]

    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 27_000
    assert numbers == list(range(numbers[0], 101))
    assert len(numbers) > 10


def test_a_writer_that_is_replaced_gets_a_file_of_its_own(tmp_path: Path) -> None:
    async def scenario(files: TailFiles) -> None:
        await write(files, 1, time.monotonic())
        await maintain(files, WriterPosition(OTHER), 0.0)

    run(scenario, tmp_path)
    assert [orphan.read()[0] for orphan in adopt(tmp_path)] == [[WriterPosition(WRITER, 1, 1)], [WriterPosition(OTHER)]]


def test_a_file_that_is_gone_is_replaced(tmp_path: Path) -> None:
    """If the folder is emptied, data written to a deleted file could not be found by another process."""

    async def scenario(files: TailFiles) -> None:
        await write(files, 1, time.monotonic())
        empty(tmp_path)
        await maintain(files, WriterPosition(WRITER), 0.0)
        await write(files, 2, time.monotonic())

    run(scenario, tmp_path)
    [orphan] = adopt(tmp_path)

    assert [group.entries for group in orphan.read()[1]] == [[entry(2)]]


@pytest.mark.parametrize("size", [0, 1 << 20])
def test_a_file_that_another_program_cut_or_extended_is_reported_and_replaced(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, size: int
) -> None:
    """Batches behind a hole could not be read, so they must not be written there."""

    async def scenario(files: TailFiles) -> None:
        await write(files, 1, began)
        for name in names(tmp_path):
            os.truncate(tmp_path / name, size)
        for number in (2, 3):
            await write(files, number, time.monotonic())

        assert files.cut_at > began

    began = time.monotonic()
    with caplog.at_level(logging.ERROR):
        run(scenario, tmp_path)
    groups = [group.entries[0] for orphan in adopt(tmp_path) for group in orphan.read()[1]]

    assert groups[-2:] == [entry(2), entry(3)]
    assert len(groups) == 2 + bool(size)
    assert caplog.text.count("another program changed the tail file") == 1


def test_without_batches_a_file_names_the_newest_position(tmp_path: Path) -> None:
    """While Redis proves that it has the batches, nothing else tells the next process where the writer was."""

    async def scenario(files: TailFiles) -> None:
        for number in (9, 10, 11_000):
            await maintain(files, WriterPosition(WRITER, number, number), 0.0)
        before = names(tmp_path)
        await write(files, 11_001, time.monotonic())

        assert len(before) == 1
        assert names(tmp_path) == before

    run(scenario, tmp_path)
    [orphan] = adopt(tmp_path)
    positions, groups = orphan.read()

    assert positions == [WriterPosition(WRITER, 11_001, 11_001)]
    assert [group.entries for group in groups] == [[entry(11_001)]]


def test_a_disk_that_fails_is_named_and_used_again_later(tmp_path: Path) -> None:
    """Acknowledgements continue. The tail is in memory, and is lost only if both fail at the same time."""
    folder = tmp_path / "spool"
    folder.write_text("not a folder")

    async def scenario(files: TailFiles) -> None:
        await write(files, 1, time.monotonic())
        failed = files.unusable_reason
        folder.unlink()
        await asyncio.sleep(RETRY_SECONDS)
        await write(files, 2, time.monotonic())

        assert failed is not None
        assert failed.startswith("FileExistsError")
        assert files.unusable_reason is None

    run(scenario, folder)
    [orphan] = adopt(folder)

    assert [group.entries for group in orphan.read()[1]] == [[entry(2)]]


def test_a_disk_that_hangs_holds_up_no_acknowledgement(tmp_path: Path) -> None:
    """A disk can take seconds for a write, and a sender gives up after eight."""
    disk = threading.Event()

    async def scenario(files: TailFiles) -> None:
        files.submit(disk.wait)
        for number in range(1, 4):
            await files.wait(files.write([entry(number)], 4, time.monotonic()).ticket)
        while_it_hangs = files.unusable_reason
        disk.set()
        await write(files, 4, time.monotonic())

        assert while_it_hangs == TOO_SLOW
        assert files.unusable_reason is None

    run(scenario, tmp_path)
    [orphan] = adopt(tmp_path)

    assert [group.entries for group in orphan.read()[1]] == [[entry(number)] for number in range(1, 5)]


def test_what_a_hanging_disk_must_still_write_is_bounded(tmp_path: Path) -> None:
    disk = threading.Event()

    async def scenario(files: TailFiles) -> None:
        files.submit(disk.wait)
        for number in range(1, 101):
            files.write([entry(number)], 1000, time.monotonic())
        disk.set()

    run(scenario, tmp_path, max_bytes=40_000)
    [orphan] = adopt(tmp_path)

    assert [group.entries for group in orphan.read()[1]] == [[entry(number)] for number in range(1, 7)]
