"""Holds the verifiers of all senders: of SAK at /whatsapp-webhook, and of those in senders.toml, which may change."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from environment import senders_file
from environment.sender_kinds import KINDS
from environment.senders_file import Sender
from environment.watched_file import WatchedFile
from ingest.queue.contract import DEFAULT_SENDER
from ingest.signing.signature import Verifier
from ingest.signing.webhook_secrets import WebhookSecrets
from telemetry.errors import SettingsError

log = logging.getLogger("ingest")


@dataclass(frozen=True, slots=True)
class KnownSender:
    """A sender of senders.toml or of the variables."""

    id: str
    """`kind:name`."""
    verifier: Verifier
    has_handshake: bool
    verify_token: str | None = field(repr=False)


class Verifiers:
    """All verifiers. The file of senders is read again when it changes."""

    def __init__(self, secrets: WebhookSecrets, path: Path, of_environ: Sender | None) -> None:
        """Read the senders. Raises SettingsError if the file is invalid."""
        self.default = Verifier(KINDS["sak"], secrets.values)
        self._secrets = secrets
        self._file = WatchedFile(path)
        self._of_environ = of_environ
        self._senders: Mapping[str, Sender] = {}
        self.by_name: Mapping[str, KnownSender] = {}
        self._file.has_changed()
        self._read_senders()

    def of(self, sender: str) -> Verifier | None:
        """Return the verifier of `kind:name` or of DEFAULT_SENDER, or None if the sender was removed."""
        if sender == DEFAULT_SENDER:
            return self.default
        known = self.by_name.get(sender.partition(":")[2])
        return None if known is None or known.id != sender else known.verifier

    def reload(self) -> bool:
        """Read the files that have changed. Return whether the secrets have changed."""
        has_changed = self._secrets.reload()
        if has_changed:
            self.default.replace_secrets(self._secrets.values)
            log.info("the secrets of webhooks have changed", extra={"events": len(self._secrets.values)})
        if not self._file.has_changed():
            return has_changed
        before = self._senders
        try:
            self._read_senders()
        except SettingsError as error:
            log.warning("the senders were not reloaded: %s", error)
        if self._senders != before:
            log.info("the senders have changed: %s", ", ".join(self._senders) or "there are none")
            has_changed = True
        return has_changed

    def _read_senders(self) -> None:
        senders = senders_file.merge(senders_file.read(self._file.path), self._of_environ)
        self.by_name = {
            name: KnownSender(
                sender.id,
                Verifier(sender.scheme, [secret.encode() for secret in sender.secrets]),
                sender.scheme.has_handshake,
                sender.verify_token,
            )
            for name, sender in senders.items()
        }
        self._senders = senders
