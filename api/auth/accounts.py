"""Caches the sessions of each account for a few seconds."""

import time

import anyio
import anyio.to_thread

from api.http.database import Database
from store.access import session_directory
from store.access.session_directory import SessionDirectory
from store.postgres.errors import StoreError

_REFRESH_SECONDS = 2.0
_WAIT_SECONDS = 0.5
"""The time in seconds that a request waits for PostgreSQL before it uses the cached state."""


class AccountDirectory:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._known = session_directory.EMPTY
        self._refresh_at = 0.0

    async def current(self) -> SessionDirectory:
        """Return the directory, or the last known one if PostgreSQL does not answer."""
        if time.monotonic() >= self._refresh_at:
            self._refresh_at = time.monotonic() + _REFRESH_SECONDS
            with anyio.move_on_after(_WAIT_SECONDS):
                await anyio.to_thread.run_sync(self._refresh, abandon_on_cancel=True)
        return self._known

    def _refresh(self) -> None:
        try:
            self._known = self._database.read_primary(session_directory.read)
        except StoreError:
            # The request itself reports that PostgreSQL is unavailable.
            return
