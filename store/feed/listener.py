"""Listens for changes in the feed on one connection for the whole process."""

import logging
import threading
from collections.abc import Callable

from psycopg import sql

from store.feed.changes import CHANNEL
from store.postgres import connections, errors

log = logging.getLogger(__name__)

_STOP_CHECK_INTERVAL = 1.0
"""The time between two checks for a request to stop, in seconds."""
_RECONNECT_DELAY = 1.0


class ChangeListener:
    """A thread that calls `on_change` after each transaction with changes, and whenever it may have missed one."""

    def __init__(self, database_url: str, on_change: Callable[[], None]) -> None:
        self._database_url = database_url
        self._on_change = on_change
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="listener", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def request_stop(self) -> None:
        """Request the end of the thread and return at once. The thread ends within a second."""
        self._stopping.set()

    def _run(self) -> None:
        last_error = ""
        while not self._stopping.is_set():
            try:
                self._listen()
            except errors.StoreError as error:
                if str(error) != last_error:
                    log.warning("LISTEN failed, polling every second: %s", error)
                last_error = str(error)
                self._stopping.wait(_RECONNECT_DELAY)

    def _listen(self) -> None:
        with connections.open(self._database_url, "api listener", dedicated=True) as connection, errors.translated():
            connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
            self._on_change()
            while not self._stopping.is_set():
                for _ in connection.notifies(timeout=_STOP_CHECK_INTERVAL, stop_after=1):
                    self._on_change()
