"""Ends a command whose output cannot be written, for example because the disk is full."""

import os
import sys


def describe(error: OSError) -> str:
    """Return the error as a sentence without its number, such as `No space left on device: FILE`."""
    reason = error.strerror or type(error).__name__
    return f"{reason}: {error.filename}." if error.filename else f"{reason}."


def discard() -> None:
    """Discard the rest of standard output. Otherwise Python would report a second error when it flushes at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
