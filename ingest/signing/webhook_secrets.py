"""Holds the secrets that sign webhooks, from WEBHOOK_SECRETS and from a file that is read again when it changes."""

import logging
from collections.abc import Sequence
from pathlib import Path

from environment import env_file, secret_list
from environment.watched_file import WatchedFile
from telemetry.errors import SettingsError

log = logging.getLogger("ingest")


class WebhookSecrets:
    """All secrets that may sign. The file is like `.env`, or contains only secrets, separated by commas or lines."""

    def __init__(self, configured: Sequence[str], path: Path) -> None:
        self._configured = tuple(configured)
        self._file = WatchedFile(path)
        self._from_file: tuple[str, ...] = ()
        self.reload()

    @property
    def values(self) -> tuple[bytes, ...]:
        """The secrets without repetitions, those of the environment first."""
        return tuple(secret.encode() for secret in dict.fromkeys([*self._configured, *self._from_file]))

    def reload(self) -> bool:
        """Read the file if it has changed. Return whether the secrets have changed.

        If the file cannot be read, this is logged and nothing changes. If it was removed, its secrets are removed as
        well.
        """
        before = self.values
        if not self._file.has_changed():
            return False
        try:
            self._from_file = tuple(_read(self._file.path)) if self._file.exists else ()
        except SettingsError as error:
            log.warning("the secrets were not reloaded: %s", error)
        return self.values != before


def _read(path: Path) -> list[str]:
    """Return the secrets in the file. Raises SettingsError."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        text = env_file.SECRETS_VARIABLE  # env_file.read reports why the file cannot be read
    if ".env" in path.name or env_file.SECRETS_VARIABLE in text:
        return secret_list.read(env_file.SECRETS_VARIABLE, env_file.read(path).get(env_file.SECRETS_VARIABLE, ""))
    return secret_list.read("WEBHOOK_SECRETS_FILE", ",".join(text.split()))
