"""Reads a `.env` file, and puts a webhook's secret into one without touching the rest of it."""

import os
import re
import tempfile
from pathlib import Path

SECRETS_VARIABLE = "WEBHOOK_SECRETS"
_ASSIGNMENT = re.compile(
    r"""(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(?:'([^']*)'|"([^"]*)"|([^#]*?))\s*(?:\#.*)?""", re.ASCII
)


def add_secret(path: Path, secret: str) -> bool:
    """Makes `secret` the first of WEBHOOK_SECRETS in the file, readable by its owner only; says whether it was new.

    The others stay behind it: webhooks signed with them may still be on their way. Raises OSError.
    """
    path = path.resolve()
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    known: list[str] = []
    others: list[str] = []
    for line in lines:
        assignment = re.match(rf"\s*(?:export\s+)?{SECRETS_VARIABLE}\s*=(.*)", line)
        if assignment is None:
            others.append(line)
        else:  # as with a shell, the last one counts
            value = assignment.group(1).partition(" #")[0].strip().strip("\"'")
            known = [word.strip() for word in value.split(",") if word.strip()]
    if known[:1] == [secret]:
        return False
    new = secret not in known
    kept = [word for word in known if word != secret]
    _write_atomically(path, [*others, f"{SECRETS_VARIABLE}={','.join([secret, *kept])}"])
    return new


def _write_atomically(path: Path, lines: list[str]) -> None:
    """All or nothing: whoever reads the file meanwhile sees the old one or the new one."""
    number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # created 0600
    try:
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write("\n".join([*lines, ""]))
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


def read(path: Path) -> dict[str, str]:
    """The variables of a `.env` file, as `./run` reads them; nothing where there is no file. Raises OSError."""
    if not path.exists():
        return {}
    variables: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        found = _ASSIGNMENT.fullmatch(line.strip())
        if found:
            name, single, double, bare = found.groups()
            variables[name] = next(value for value in (single, double, bare, "") if value is not None)
    return variables
