"""Reads `.env` for `./run`, and rejects invalid lines."""

from pathlib import Path

from api.commands import env_file
from dev.errors import StartError


def read(path: Path) -> dict[str, str]:
    """The variables in a `.env` file; none if there is no file. Raises StartError."""
    if not path.exists():
        return {}
    variables: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        assignment = env_file.parse_line(text)
        if assignment is None:
            raise StartError(f"{path} line {number} is not NAME=value.")
        variables[assignment[0]] = assignment[1]
    return variables
