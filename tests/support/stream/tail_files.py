"""Reads tail files and their batches."""

from pathlib import Path

from ingest.queue import contract
from ingest.queue.contract import EntryFields
from ingest.tail.orphaned_tail_file import OrphanedTailFile

WRITER, OTHER = "0123456789abcdef" * 2, "fedcba9876543210" * 2


def entry(number: int, writer: str = WRITER, body: bytes = b"body") -> EntryFields:
    return contract.to_fields(contract.RawBatch(writer, number, number, (1,), (body,)))


def adopt(directory: Path) -> list[OrphanedTailFile]:
    found = (OrphanedTailFile.try_adopt(path) for path in sorted(directory.glob("*.tail")))
    return [file for file in found if file is not None]
