"""The key to what is forgotten, and the list of it, both outside the database that they outlive."""

import hmac
import os
import secrets
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from store.postgres import errors

MIN_KEY_LENGTH = 32
"""Characters: a phone number has some thirty bits, so that only the key keeps its hash from being guessed."""


class SuppressionKeyError(errors.TransientError):
    """People are forgotten, and without the key nobody can tell who: nothing is written until it is there."""


class KeyStoreUnwritableError(errors.TransientError):
    """Key or list cannot be written where they are to be, or not read again."""


@dataclass(frozen=True, slots=True)
class SuppressionKey:
    """What makes addresses into hashes that say nothing to whoever lacks it."""

    _secret: bytes = field(repr=False)

    def hash_address(self, session_id: str | None, address: str) -> bytes:
        """The hash of an address in a session; None: in all sessions."""
        return self._mac("address", session_id or "", address)

    def hash_message(self, session_id: str, address: str, message_id: str) -> bytes:
        return self._mac("message", session_id, address, message_id)

    @property
    def fingerprint(self) -> bytes:
        """Tells this key from every other."""
        return self._mac("check")

    def _mac(self, *parts: str) -> bytes:
        return hmac.digest(self._secret, "\0".join(parts).encode(), "sha256")


@dataclass(frozen=True, slots=True)
class SuppressionKeyStore:
    """Where key and list are: FORGET_KEY or `$DATA_DIR/forget-key`, and `$DATA_DIR/forgets`."""

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
        """The key, if there is one; looked for at every call, because the first forget makes it."""
        if self._configured_key is not None:
            return _parse_key(self._configured_key, "FORGET_KEY")
        try:
            return _parse_key(self.key_file.read_text(encoding="utf-8"), str(self.key_file))
        except OSError:
            return None

    def find_or_create_key(self) -> SuppressionKey:
        """The key, made if there is none, readable by its owner only. Raises UnwritableError."""
        if (known := self.find_key()) is not None:
            return known
        with _translate_write_errors(self.key_file):
            self._create_key_file()
        made = self.find_key()
        assert made is not None, "it was just made, or another process made it"
        return made

    def _create_key_file(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        # Written apart and linked: whoever finds the file finds all of it, and of two that make one, one wins.
        apart = self.directory / f".forget-key-{secrets.token_hex(8)}"
        with os.fdopen(os.open(apart, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(secrets.token_hex(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(apart, self.key_file)
        except FileExistsError:
            pass
        finally:
            apart.unlink()

    def append_suppressions(self, received_until_by_hash: Mapping[bytes, int]) -> None:
        """Add to the list, durably, what it does not say yet: a database restored from a backup needs to be told.

        Raises UnwritableError.
        """
        known = self.read_suppressions()
        new = [(mac, upto) for mac, upto in sorted(received_until_by_hash.items()) if known.get(mac, -1) < upto]
        if not new:
            return
        with _translate_write_errors(self.suppression_list_file):
            self._append_lines("".join(_format_lines(new)), first=not known)

    def _append_lines(self, lines: str, *, first: bool) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        with os.fdopen(os.open(self.suppression_list_file, flags, 0o600), "w", encoding="utf-8") as file:
            # A line that a death cut short is ended first: it was of a forget that never came about.
            file.write(lines if first and not self.suppression_list_file.stat().st_size else f"\n{lines}")
            file.flush()
            os.fsync(file.fileno())

    def read_suppressions(self) -> dict[bytes, int]:
        """What the list says: per hash, up to when; nothing where there is none. Raises UnwritableError."""
        try:
            lines = self.suppression_list_file.read_text(encoding="utf-8").splitlines()
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except OSError as error:
            raise KeyStoreUnwritableError(f"{self.suppression_list_file} cannot be read ({error.strerror}).") from error
        found: dict[bytes, int] = {}
        for line in lines:
            mac, _, upto = line.partition(" ")
            if len(mac) == 64 and upto.endswith(".") and upto[:-1].isdecimal():
                found[bytes.fromhex(mac)] = max(int(upto[:-1]), found.get(bytes.fromhex(mac), 0))
        return found


@contextmanager
def _translate_write_errors(path: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise KeyStoreUnwritableError(
            f"{path} cannot be written ({error.strerror}): name a folder that stays in DATA_DIR."
        ) from error


def _format_lines(suppressions: Iterable[tuple[bytes, int]]) -> list[str]:
    # The full stop tells a line that is whole.
    return [f"{mac.hex()} {upto}.\n" for mac, upto in suppressions]


def _parse_key(text: str, name: str) -> SuppressionKey:
    if len(text.strip()) < MIN_KEY_LENGTH:
        raise SuppressionKeyError(
            f"{name} is shorter than {MIN_KEY_LENGTH} characters: take the key that was made, or a long one."
        )
    return SuppressionKey(text.strip().encode())
