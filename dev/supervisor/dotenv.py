import re
from pathlib import Path

from dev.errors import StartError

_LINE = re.compile(r"""(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(?:'([^']*)'|"([^"]*)"|([^#]*?))\s*(?:\#.*)?""", re.ASCII)


def read(path: Path) -> dict[str, str]:
    """The variables of a `.env` file: NAME=value a line, quotes optional; nothing where there is no file."""
    if not path.exists():
        return {}
    variables: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        found = _LINE.fullmatch(text)
        if not found:
            raise StartError(f"{path} line {number} is not NAME=value.")
        name, single, double, bare = found.groups()
        variables[name] = next(value for value in (single, double, bare, "") if value is not None)
    return variables
