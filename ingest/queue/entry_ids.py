"""Reads the ids of stream entries, which Redis compares as numbers and not as text."""

from typing import TypeAlias

EntryId: TypeAlias = tuple[int, int]
"""Milliseconds, and the position among the entries of the same millisecond."""


def parse(text: bytes) -> EntryId:
    """Return the id for a text from Redis, such as `1734621000000-0`."""
    milliseconds, _, sequence = text.partition(b"-")
    return int(milliseconds), int(sequence)


def successor(text: bytes) -> bytes:
    """Return the smallest id after this one."""
    milliseconds, sequence = parse(text)
    return b"%d-%d" % (milliseconds, sequence + 1)
