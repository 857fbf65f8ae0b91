"""Reads `.env` files, and adds the secret of a webhook to one."""

import os
import re
import tempfile
from pathlib import Path

SECRETS_VARIABLE = "WEBHOOK_SECRETS"
_ASSIGNMENT = re.compile(
    r"""(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(?:'([^']*)'|"([^"]*)"|([^#]*?))\s*(?:\#.*)?""", re.ASCII
)


def add_secret(path: Path, secret: str) -> bool:
    """Make `secret` the first of WEBHOOK_SECRETS in the file, which only its owner may read; returns whether it is new.

    The other secrets remain, as webhooks signed with them may still arrive. Raises OSError.
    """
    path = path.resolve()
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    known: list[str] = []
    others: list[str] = []
    for line in lines:
        assignment = re.match(rf"\s*(?:export\s+)?{SECRETS_VARIABLE}\s*=(.*)", line)
        if assignment is None:
            others.append(line)
        else:  # as in a shell, the last one applies
            value = assignment.group(1).partition(" #")[0].strip().strip("\"'")
            known = [known_secret.strip() for known_secret in value.split(",") if known_secret.strip()]
    if known[:1] == [secret]:
        return False
    secrets = [secret, *(known_secret for known_secret in known if known_secret != secret)]
    _write_atomically(path, [*others, f"{SECRETS_VARIABLE}={','.join(secrets)}"])
    return secret not in known


def _write_atomically(path: Path, lines: list[str]) -> None:
    """Replace the file; a concurrent reader sees either the old or the new content."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # created 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write("\n".join([*lines, ""]))
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


def read(path: Path) -> dict[str, str]:
    """The variables in a `.env` file; none if there is no file. Ignores invalid lines. Raises OSError."""
    if not path.exists():
        return {}
    return dict(filter(None, map(parse_line, path.read_text(encoding="utf-8").splitlines())))


def parse_line(line: str) -> tuple[str, str] | None:
    """The name and value in `NAME=value`, whose quotes are optional; None for any other line."""
    match = _ASSIGNMENT.fullmatch(line.strip())
    if match is None:
        return None
    name, single, double, bare = match.groups()
    return name, next(value for value in (single, double, bare, "") if value is not None)
