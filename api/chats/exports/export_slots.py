"""Limits the number of concurrent exports, in total and per caller."""

import threading
from collections import Counter

MAX_CONCURRENT_EXPORTS = 4
"""The number of concurrent exports of a process. Each of them holds its own connection to PostgreSQL."""
MAX_CONCURRENT_SPREADSHEETS = 2
"""The number of concurrent exports that may be spreadsheets. Each takes `2 * spreadsheet.MAX_BYTES` of disk for
temporary files.
"""
MAX_EXPORTS_OF_CALLER = 2
"""The number of concurrent exports of a caller, lower than the total, so that one token cannot keep others from
exporting.
"""


class ExportSlots:
    """The slots shared by the threads of a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: Counter[object] = Counter()
        self._spreadsheets = 0

    def try_acquire(self, caller: object, *, spreadsheet: bool) -> bool:
        """Take a slot for the caller. Return False if the caller, or all callers together, have too many."""
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
