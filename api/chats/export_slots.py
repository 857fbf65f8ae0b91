"""Limits how many exports run at a time, and how many of them one caller has."""

import threading
from collections import Counter

MAX_CONCURRENT_EXPORTS = 4
"""Exports of a process at the same time; each holds its own connection to PostgreSQL."""
MAX_CONCURRENT_SPREADSHEETS = 2
"""Of those exports; each takes `2 * spreadsheet.MAX_BYTES` of the disk for temporary files."""
MAX_EXPORTS_OF_CALLER = 2
"""So one token cannot keep the others from exporting."""


class ExportSlots:
    """Shared by the threads of a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: Counter[object] = Counter()
        self._spreadsheets = 0

    def try_acquire(self, caller: object, *, spreadsheet: bool) -> bool:
        """Take a slot for the caller; false if the caller, or all callers together, have too many."""
        with self._lock:
            if self._held.total() >= MAX_CONCURRENT_EXPORTS or self._held[caller] >= MAX_EXPORTS_OF_CALLER:
                return False
            if spreadsheet and self._spreadsheets >= MAX_CONCURRENT_SPREADSHEETS:
                return False
            self._held[caller] += 1
            self._spreadsheets += spreadsheet
            return True

    def release(self, caller: object, *, spreadsheet: bool) -> None:
        with self._lock:
            self._spreadsheets -= spreadsheet
            self._held[caller] -= 1
            self._held += Counter()
