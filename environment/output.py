"""Ends a command whose output cannot be written, such as on a full disk."""

import os
import sys


def describe(error: OSError) -> str:
    """The error as a sentence without its number, as in `No space left on device: FILE`."""
    reason = error.strerror or type(error).__name__
    return f"{reason}: {error.filename}." if error.filename else f"{reason}."


def discard() -> None:
    """Write the rest of standard output nowhere: Python would report a second error when it flushes at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
