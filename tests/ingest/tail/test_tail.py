"""Tests that the tail gives back what it remembers, from its files or from memory."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest

from ingest.queue.contract import EntryFields
from ingest.tail.tail import Tail
from ingest.tail.tail_file import FilePart
from ingest.tail.tail_group import TailGroup
from ingest.writer_position import WriterPosition
from tests.support.stream.tail_files import WRITER, entry

MAX_BYTES = 1 << 20


def run(
    scenario: Callable[[Tail], Coroutine[object, object, None]], directory: Path, max_bytes: int = MAX_BYTES
) -> None:
    async def tell() -> None:
        tail = Tail(directory, 60.0, max_bytes)
        tail.open(WriterPosition(WRITER))
        await scenario(tail)
        await tail.close()

    asyncio.run(tell())


async def confirm(tail: Tail, number: int, body: bytes = b"body") -> EntryFields:
    batch = entry(number, body=body)
    await tail.add(tail.write([batch], len(body)), [batch], 1, len(body), tail.identity.redis_number)
    return batch


def remembered(tail: Tail) -> list[TailGroup]:
    """Return what would be due if Redis were replaced."""
    tail.identity.redis_number += 1
    groups = tail.first_due(MAX_BYTES, 1_000_000)
    tail.identity.redis_number -= 1
    return groups


async def confirm_until_in_file(tail: Tail, parts: int) -> list[EntryFields]:
    """Confirm batches until this many of them are in a file only. Return all of them.

    The first ones are written by the thread and stay in memory, and so do more of them while the disk is slow.
    """
    batches: list[EntryFields] = []
    while sum(group.part is not None for group in remembered(tail)) < parts:
        batches.append(await confirm(tail, len(batches) + 1))
        await asyncio.sleep(0.01)
    return batches


def part_of(group: TailGroup) -> FilePart:
    assert group.part is not None
    return group.part


def empty(directory: Path) -> None:
    for path in directory.iterdir():
        path.unlink()


def damage(directory: Path, position: int) -> None:
    """Change a byte of the only file."""
    [path] = directory.iterdir()
    with path.open("r+b") as file:
        file.seek(position)
        file.write(b"?")


def size_of(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.iterdir())


def test_batches_in_a_file_are_not_kept_in_memory_but_read_back(tmp_path: Path) -> None:
    """The memory of the last seconds costs more than their file."""

    async def scenario(tail: Tail) -> None:
        batches = await confirm_until_in_file(tail, 3)
        groups = remembered(tail)

        assert [len(group.entries) for group in groups if group.part is not None] == [0, 0, 0]
        assert [group.batches for group in groups] == [1] * len(batches)
        assert await tail.read(groups) == batches

    run(scenario, tmp_path)


def test_batches_whose_file_was_removed_are_read_back(tmp_path: Path) -> None:
    """Somebody empties the folder, and Redis is lost within the next seconds."""

    async def scenario(tail: Tail) -> None:
        batches = await confirm_until_in_file(tail, 3)
        empty(tmp_path)
        tail.maintain(WriterPosition(WRITER))
        batches.append(await confirm(tail, len(batches) + 1))

        assert await tail.read(remembered(tail)) == batches

    run(scenario, tmp_path)


def test_a_damaged_batch_is_forgotten_and_the_others_are_read_back(tmp_path: Path) -> None:
    """Garbage must not be sent as an event, and must not keep the others from Redis."""

    async def scenario(tail: Tail) -> None:
        batches = await confirm_until_in_file(tail, 3)
        groups = remembered(tail)
        damaged = next(index for index, group in enumerate(groups) if group.part is not None)
        damage(tmp_path, part_of(groups[damaged]).end - 1)
        with pytest.raises(OSError, match="cannot be read"):
            await tail.read(groups)
        rest = remembered(tail)

        assert rest == [group for group in groups if group is not groups[damaged]]
        assert await tail.read(rest) == [batch for batch in batches if batch is not batches[damaged]]
        assert tail.covered_seconds < tail.seconds

    run(scenario, tmp_path)


def test_batches_that_the_disk_did_not_take_are_in_memory(tmp_path: Path) -> None:
    """Redis may fail while the disk does. Only if ingest fails as well, they are lost."""
    folder = tmp_path / "spool"
    folder.write_text("not a folder")

    async def scenario(tail: Tail) -> None:
        batches = [await confirm(tail, number) for number in range(1, 4)]

        assert await tail.read(remembered(tail)) == batches

    run(scenario, folder)


def test_what_the_limit_pushes_out_of_the_tail_is_still_in_the_files_and_nothing_else(tmp_path: Path) -> None:
    """Each group that is remembered can be read back, and the files take about as much room as the limit says."""

    async def scenario(tail: Tail) -> None:
        batches = [await confirm(tail, number, b"x" * 1000) for number in range(1, 201)]
        groups = remembered(tail)

        assert 20 < len(groups) < 60
        assert await tail.read(groups) == batches[-len(groups) :]
        assert size_of(tmp_path) < 80_000

    run(scenario, tmp_path, max_bytes=60_000)
