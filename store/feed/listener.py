"""One connection that hears, for a whole process, that something changed."""

import logging
import threading
from collections.abc import Callable

from psycopg import sql

from store.feed.changes import CHANNEL
from store.postgres import connections, errors

log = logging.getLogger(__name__)

_STOP_CHECK_INTERVAL = 1.0
"""Seconds after which the thread looks whether it is to stop."""
_RECONNECT_DELAY = 1.0


class ChangeListener:
    """A thread that calls `wake` whenever a transaction changed something, and whenever it may have missed one."""

    def __init__(self, database_url: str, on_change: Callable[[], None]) -> None:
        self._database_url = database_url
        self._on_change = on_change
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="listener", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def request_stop(self) -> None:
        """Return at once; the thread ends within a second."""
        self._stopping.set()

    def _run(self) -> None:
        said = ""
        while not self._stopping.is_set():
            try:
                self._listen()
            except errors.StoreError as error:
                if str(error) != said:
                    log.warning("not listening for changes, only looking every second: %s", error)
                said = str(error)
                self._stopping.wait(_RECONNECT_DELAY)

    def _listen(self) -> None:
        with connections.open(self._database_url, "api listener", dedicated=True) as connection, errors.translated():
            connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
            self._on_change()
            while not self._stopping.is_set():
                for _ in connection.notifies(timeout=_STOP_CHECK_INTERVAL, stop_after=1):
                    self._on_change()
