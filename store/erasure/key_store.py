"""Stores the suppression key, and a list of all suppressions, in files outside the database.

Both must survive a loss of the database. After a restore from an older backup, the list contains the people whose data
the backup still contains.
"""

import hmac
import os
import secrets
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from environment import private_file
from store.postgres import errors

MIN_KEY_LENGTH = 32
"""The least length of a key in characters. A phone number has about thirty bits, so only a long key prevents guessing
it from its hash.
"""


class SuppressionKeyError(errors.TransientError):
    """The database has suppressions, but their key is missing or differs. Nothing may be written."""


class KeyStoreUnwritableError(errors.TransientError):
    """The key or the list of suppressions cannot be read or written."""


@dataclass(frozen=True, slots=True)
class SuppressionKey:
    """The key with which addresses and messages are hashed (HMAC-SHA256). Without it, no hash can be reversed."""

    _secret: bytes = field(repr=False)

    def hash_address(self, session_id: str | None, address: str) -> bytes:
        """Return the hash of an address in a session, or in all sessions if `session_id` is None."""
        return self._mac("address", session_id or "", address)

    def hash_message(self, session_id: str, address: str, message_id: str) -> bytes:
        return self._mac("message", session_id, address, message_id)

    @property
    def fingerprint(self) -> bytes:
        """A hash that identifies the key."""
        return self._mac("check")

    def _mac(self, *parts: str) -> bytes:
        return hmac.digest(self._secret, "\0".join(parts).encode(), "sha256")


@dataclass(frozen=True, slots=True)
class SuppressionKeyStore:
    """The key in FORGET_KEY or `$DATA_DIR/forget-key`, and the list in `$DATA_DIR/forgets`."""

    directory: Path
    _configured_key: str | None = field(default=None, repr=False)

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "SuppressionKeyStore":
        return cls(Path(environ.get("DATA_DIR") or "var"), environ.get("FORGET_KEY") or None)

    @property
    def key_file(self) -> Path:
        return self.directory / "forget-key"

    @property
    def suppression_list_file(self) -> Path:
        return self.directory / "forgets"

    def find_key(self) -> SuppressionKey | None:
        """Return the key if there is one. It is not cached, because the first erasure creates it."""
        if self._configured_key is not None:
            return _parse_key(self._configured_key, "FORGET_KEY")
        try:
            return _parse_key(self.key_file.read_text(encoding="utf-8"), str(self.key_file))
        except OSError:
            return None

    def find_or_create_key(self) -> SuppressionKey:
        """Return the key. If there is none, create it in a file that only its owner can read.

        Raises KeyStoreUnwritableError.
        """
        if (key := self.find_key()) is not None:
            return key
        with _translate_write_errors(self.key_file):
            self._create_key_file()
        key = self.find_key()
        assert key is not None, "this or another process has just created it"
        return key

    def _create_key_file(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        # The file is linked when it is complete, so no reader sees a part of it, and one of two processes that create
        # it wins.
        temporary = self.directory / f".forget-key-{secrets.token_hex(8)}"
        _write(temporary, os.O_EXCL, secrets.token_hex(32) + "\n")
        try:
            os.link(temporary, self.key_file)
        except FileExistsError:
            pass
        finally:
            temporary.unlink()

    def append_suppressions(self, received_until_by_hash: Mapping[bytes, int]) -> None:
        """Append new or extended suppressions to the list, with fsync. Raises KeyStoreUnwritableError."""
        known = self.read_suppressions()
        new = [entry for entry in sorted(received_until_by_hash.items()) if known.get(entry[0], -1) < entry[1]]
        if not new:
            return
        # The full stop marks a complete line. The newline ends a line that was cut short by a crash, before its erasure
        # was recorded.
        lines = "".join(f"\n{mac.hex()} {received_until}." for mac, received_until in new) + "\n"
        with _translate_write_errors(self.suppression_list_file):
            self.directory.mkdir(parents=True, exist_ok=True)
            _write(self.suppression_list_file, os.O_APPEND, lines)

    def read_suppressions(self) -> dict[bytes, int]:
        """Return the list as a mapping from hash to received_until, empty if there is no file.

        Raises KeyStoreUnwritableError.
        """
        try:
            lines = self.suppression_list_file.read_text(encoding="utf-8").splitlines()
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except OSError as error:
            raise KeyStoreUnwritableError(
                f"Cannot read {self.suppression_list_file} ({error.strerror}). Make it readable to this user."
            ) from error
        suppressions: dict[bytes, int] = {}
        for line in lines:
            mac, _, received_until = line.partition(" ")
            if len(mac) == 64 and received_until.endswith(".") and received_until[:-1].isdecimal():
                digest = bytes.fromhex(mac)
                suppressions[digest] = max(int(received_until[:-1]), suppressions.get(digest, 0))
        return suppressions


@contextmanager
def _translate_write_errors(path: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise KeyStoreUnwritableError(
            f"Cannot write {path} ({error.strerror}). Set DATA_DIR to a writable folder on a persistent disk."
        ) from error


def _write(path: Path, flag: int, text: str) -> None:
    """Create or open a file that only its owner can read, write the text and sync it."""
    with os.fdopen(private_file.open_descriptor(path, os.O_WRONLY | os.O_CREAT | flag), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _parse_key(text: str, name: str) -> SuppressionKey:
    if len(text.strip()) < MIN_KEY_LENGTH:
        too_short = f"{name} is shorter than {MIN_KEY_LENGTH} characters."
        raise SuppressionKeyError(f"{too_short} Use the generated key or a longer one.")
    return SuppressionKey(text.strip().encode())
