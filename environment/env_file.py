"""Reads `.env` files with python-dotenv, and adds a webhook secret to one."""

import codecs
import io
from pathlib import Path

from dotenv import parser
from dotenv.parser import Binding

from environment import private_file, secret_list
from telemetry.errors import SettingsError

SECRETS_VARIABLE = "WEBHOOK_SECRETS"


class EnvFileError(SettingsError):
    """The file cannot be read as NAME=value. The message names the file and the line but quotes neither."""


def read(path: Path) -> dict[str, str]:
    """Return the variables in the file, or none if there is no file. `$` has no special meaning.

    Raises EnvFileError.
    """
    return {binding.key: binding.value or "" for binding in _bindings(path) if binding.key is not None}


def add_secret(path: Path, secret: str) -> bool:
    """Put `secret` first in the file's WEBHOOK_SECRETS and return whether it was new. Only the owner can read the file.

    The other secrets are kept, because webhooks signed with them may still arrive. Raises EnvFileError and OSError.
    """
    if not secret_list.is_token(secret):
        raise EnvFileError("The secret is not one word of printable characters: nothing was written.")
    path = path.resolve()
    bindings = _bindings(path)
    known: list[str] = []
    for binding in bindings:
        if binding.key == SECRETS_VARIABLE:  # as in a shell, the last one applies
            known = secret_list.split(binding.value or "")
    if known[:1] == [secret]:
        return False
    if not all(map(secret_list.is_token, known)):
        raise EnvFileError(f"A secret in {path} is not one word of letters, digits and ._~+/=-: nothing was written.")
    secrets = [secret, *(known_secret for known_secret in known if known_secret != secret)]
    others = "".join(binding.original.string for binding in bindings if binding.key != SECRETS_VARIABLE)
    separator = "\n" if others and not others.endswith(("\n", "\r")) else ""
    private_file.replace(path, f"{others}{separator}{SECRETS_VARIABLE}={','.join(secrets)}\n")
    return secret not in known


def _bindings(path: Path) -> list[Binding]:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise EnvFileError(f"{path} cannot be read: {error.strerror}.") from error
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in content:
        raise EnvFileError(f"{path} is UTF-16, as PowerShell and Notepad may write it: save it as UTF-8.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise EnvFileError(f"{path} is not UTF-8: save it as UTF-8.") from None
    bindings = list(parser.parse_stream(io.StringIO(text, newline="")))
    for binding in bindings:
        if binding.error or (binding.key is not None and binding.value is None):
            raise EnvFileError(f"{path} line {_line(binding)} is not NAME=value.")
    return bindings


def _line(binding: Binding) -> int:
    """Return the line number of the assignment. The parser counts from the blank lines before it."""
    text = binding.original.string
    return binding.original.line + text[: len(text) - len(text.lstrip())].count("\n")
