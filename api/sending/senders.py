"""Holds the clients of the gateways in senders.toml that can send. The file is read again when it changes."""

import logging
from collections.abc import Mapping
from pathlib import Path

from api.gateway.senders.send_apis import SEND_APIS
from api.gateway.senders.sender_client import SenderClient
from api.gateway.timeouts import Timeouts
from environment import senders_file
from environment.senders_file import Sender
from environment.watched_file import WatchedFile
from telemetry.errors import SettingsError

log = logging.getLogger(__name__)


class Senders:
    """The gateways that can send. Many threads may use them, and one of them reloads."""

    def __init__(self, path: Path, of_environ: Sender | None, timeouts: Timeouts | None = None) -> None:
        """Read the file. Raises SettingsError if it is invalid."""
        self._file = WatchedFile(path)
        self._of_environ = of_environ
        self._timeouts = timeouts
        self._by_name: Mapping[str, SenderClient] = {}
        self._file.has_changed()
        self._read()

    def __bool__(self) -> bool:
        return bool(self._by_name)

    def of_session(self, session_id: str) -> SenderClient | None:
        """Return the gateway of a session that does not belong to SAK, or None.

        The session's id begins with the sender's name and a colon.
        """
        name, colon, _ = session_id.partition(":")
        return self._by_name.get(name) if colon else None

    def reload(self) -> None:
        """Read the file if it has changed. An invalid file is logged and changes nothing."""
        if not self._file.has_changed():
            return
        before = self._by_name
        try:
            self._read()
        except SettingsError as error:
            log.warning("the senders were not reloaded: %s", error)
        else:
            if self._by_name.keys() != before.keys():
                log.info("the list of sending gateways changed: %s", ", ".join(self._by_name) or "there are none")

    def close(self) -> None:
        for client in self._by_name.values():
            client.close()

    def _read(self) -> None:
        senders = senders_file.merge(senders_file.read(self._file.path), self._of_environ)
        # Unchanged gateways keep their connections, and a running send keeps its client.
        before = self._by_name
        self._by_name = {
            name: before[name]
            if name in before and before[name].sender == sender
            else SenderClient(sender, self._timeouts)
            for name, sender in senders.items()
            if sender.kind in SEND_APIS
        }
