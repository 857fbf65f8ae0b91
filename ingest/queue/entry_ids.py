"""Reads the ids of stream entries, which Redis compares by number and not by their text."""

from typing import TypeAlias

EntryId: TypeAlias = tuple[int, int]
"""Milliseconds, and the place among the entries of one millisecond."""


def parse(text: bytes) -> EntryId:
    """The id of which Redis' reply has the text, such as `1734621000000-0`."""
    milliseconds, _, sequence = text.partition(b"-")
    return int(milliseconds), int(sequence)


def successor(text: bytes) -> bytes:
    """The smallest id after this one."""
    milliseconds, sequence = parse(text)
    return b"%d-%d" % (milliseconds, sequence + 1)
