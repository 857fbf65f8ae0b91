"""The secrets that sign webhooks: those of WEBHOOK_SECRETS, and those of a file that is read again when it changes."""

import logging
from collections.abc import Sequence
from pathlib import Path

from environment import env_file, secret_list
from environment.watched_file import WatchedFile
from telemetry.errors import SettingsError

log = logging.getLogger("ingest")


class WebhookSecrets:
    """All of them may sign. The file is like `.env`, or holds nothing but secrets, separated by commas or lines."""

    def __init__(self, configured: Sequence[str], path: Path) -> None:
        self._configured = tuple(configured)
        self._file = WatchedFile(path)
        self._from_file: tuple[str, ...] = ()
        self.reload()

    @property
    def values(self) -> tuple[bytes, ...]:
        """Without repetitions; those of the environment first."""
        return tuple(secret.encode() for secret in dict.fromkeys([*self._configured, *self._from_file]))

    def reload(self) -> bool:
        """Read the file if it has changed; returns whether the secrets are others now.

        A file that cannot be read changes nothing and is logged; one that is removed takes its secrets with it.
        """
        before = self.values
        if not self._file.has_changed():
            return False
        try:
            self._from_file = tuple(_read(self._file.path)) if self._file.exists else ()
        except SettingsError as error:
            log.warning("the secrets stay as they are: %s", error)
        return self.values != before


def _read(path: Path) -> list[str]:
    """The secrets in the file; raises SettingsError."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        text = env_file.SECRETS_VARIABLE  # its reader says why it cannot be read
    if ".env" in path.name or env_file.SECRETS_VARIABLE in text:
        return secret_list.read(env_file.SECRETS_VARIABLE, env_file.read(path).get(env_file.SECRETS_VARIABLE, ""))
    return secret_list.read("WEBHOOK_SECRETS_FILE", ",".join(text.split()))
