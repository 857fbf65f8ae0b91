"""Defines the records of a tail file: batches, each with a checksum."""

import struct
import zlib
from collections.abc import Iterator, Sequence

from ingest.queue.contract import EntryFields

_PREFIX = struct.Struct("<III")
"""The prefix of each record: the lengths of its head and its bodies, and the CRC-32 of both."""
PREFIX_BYTES = _PREFIX.size


def pack(entries: Sequence[EntryFields]) -> list[bytes]:
    """Return the records of the entries, in parts."""
    parts: list[bytes] = []
    for entry in entries:
        head, bodies = entry[b"head"], entry[b"bodies"]
        parts += (_PREFIX.pack(len(head), len(bodies), zlib.crc32(bodies, zlib.crc32(head))), head, bodies)
    return parts


def unpack(content: bytes) -> Iterator[EntryFields]:
    """Yield the entries up to the first damaged record."""
    data = memoryview(content)
    start = 0
    while start + PREFIX_BYTES <= len(data):
        head_size, bodies_size, checksum = _PREFIX.unpack_from(data, start)
        if not head_size:  # zeros, whose checksum would be right
            return
        start += PREFIX_BYTES
        head_end = start + head_size
        end = head_end + bodies_size
        if end > len(data) or zlib.crc32(data[start:end]) != checksum:
            return
        yield {b"head": bytes(data[start:head_end]), b"bodies": bytes(data[head_end:end])}
        start = end


def size_of(prefix: bytes) -> int:
    """Return the size in bytes of the record that begins with this prefix."""
    head_size, bodies_size, _ = _PREFIX.unpack(prefix)
    return PREFIX_BYTES + head_size + bodies_size
