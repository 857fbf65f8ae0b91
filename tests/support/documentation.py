"""The commands in our documents: every block of a shell's lines, and what stands above it about who runs them."""

import re
from dataclasses import dataclass

from dev.checkout import ROOT

SHELL_LANGUAGES = ("sh", "bash", "shell", "console", "powershell")
_BLOCK = re.compile(
    r"^(?P<above>[^\n]*)\n(?P<indent> *)```(?P<language>\w*)\n(?P<lines>.*?)^ *```$", re.MULTILINE | re.DOTALL
)
_TESTED_BY = re.compile(r"\s*<!-- tested by (?P<test>\S+) -->")
_NOT_RUN = re.compile(r"\s*<!-- not run: (?P<reason>\S.*) -->")
_ALL_TESTED_BY = re.compile(r"^<!-- every command is tested by (?P<test>\S+) -->$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class CommandBlock:
    page: str
    language: str
    lines: str
    tested_by: str | None
    """The file of the test that says it runs this."""
    not_run_reason: str | None
    """Why nobody does."""


def documents() -> list[str]:
    """Every page for people, as a path from the root: those of the root, and docs/."""
    paths = [*(ROOT / "docs").glob("*.md"), *ROOT.glob("*.md")]
    return sorted(str(path.relative_to(ROOT)) for path in paths)


def command_blocks(page: str) -> list[CommandBlock]:
    """A page's blocks for a shell, in their order."""
    text = (ROOT / page).read_text()
    everything = _ALL_TESTED_BY.search(text)
    found: list[CommandBlock] = []
    for match in _BLOCK.finditer(text):
        if match["language"] in SHELL_LANGUAGES:
            above = match["above"]
            tested, not_run = _TESTED_BY.fullmatch(above), _NOT_RUN.fullmatch(above)
            test = tested["test"] if tested else everything["test"] if everything and not not_run else None
            lines = re.sub(rf"^{match['indent']}", "", match["lines"], flags=re.MULTILINE)
            found.append(CommandBlock(page, match["language"], lines, test, not_run["reason"] if not_run else None))
    return found


def tested_commands(page: str, test: str) -> str:
    """All the lines of a page that this test is to run."""
    return "".join(block.lines for block in command_blocks(page) if block.tested_by == test)
