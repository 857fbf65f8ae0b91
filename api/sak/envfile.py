"""Puts a webhook's secret into a `.env` file without touching the rest of it."""

import os
import re
import tempfile
from pathlib import Path

NAME = "WEBHOOK_SECRETS"


def add_secret(path: Path, secret: str) -> bool:
    """Makes `secret` the first of WEBHOOK_SECRETS in the file, readable by its owner only; says whether it was new.

    The others stay behind it: webhooks signed with them may still be on their way. Raises OSError.
    """
    path = path.resolve()
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    known: list[str] = []
    others: list[str] = []
    for line in lines:
        assignment = re.match(rf"\s*(?:export\s+)?{NAME}\s*=(.*)", line)
        if assignment is None:
            others.append(line)
        else:  # as with a shell, the last one counts
            value = assignment.group(1).partition(" #")[0].strip().strip("\"'")
            known = [word.strip() for word in value.split(",") if word.strip()]
    if known[:1] == [secret]:
        return False
    new = secret not in known
    kept = [word for word in known if word != secret]
    _replace(path, [*others, f"{NAME}={','.join([secret, *kept])}"])
    return new


def _replace(path: Path, lines: list[str]) -> None:
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
