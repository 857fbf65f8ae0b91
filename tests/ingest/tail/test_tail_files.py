"""Tests the tail files of a process: when they are replaced, and that a slow disk does not delay acknowledgements."""

import asyncio
import os
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path

from ingest.queue import contract
from ingest.tail.tail_files import RETRY_SECONDS, TOO_SLOW, TailFiles
from ingest.writer_position import WriterPosition
from tests.support.tail_files import OTHER, WRITER, adopt, entry
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


async def maintain(files: TailFiles, position: WriterPosition, expired_at: float) -> None:
    files.maintain(position, expired_at)
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
