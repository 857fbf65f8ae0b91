"""Finds the shell commands on the pages of the documentation, and the tests that run them."""

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
    """The path of the test that runs the block."""
    not_run_reason: str | None
    """The reason why no test runs it."""


def documents() -> list[str]:
    """Return the paths of all pages in docs/, in its folders, and in the root of the repository."""
    paths = [*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")]
    return sorted(str(path.relative_to(ROOT)) for path in paths)


def command_blocks(page: str) -> list[CommandBlock]:
    """Return the shell blocks of a page in their order."""
    text = (ROOT / page).read_text()
    test_of_page = _ALL_TESTED_BY.search(text)
    blocks: list[CommandBlock] = []
    for match in _BLOCK.finditer(text):
        if match["language"] in SHELL_LANGUAGES:
            above = match["above"]
            tested, not_run = _TESTED_BY.fullmatch(above), _NOT_RUN.fullmatch(above)
            test = tested["test"] if tested else test_of_page["test"] if test_of_page and not not_run else None
            lines = re.sub(rf"^{match['indent']}", "", match["lines"], flags=re.MULTILINE)
            blocks.append(CommandBlock(page, match["language"], lines, test, not_run["reason"] if not_run else None))
    return blocks


def tested_commands(page: str, test: str) -> str:
    """Return the lines of a page that this test runs."""
    return "".join(block.lines for block in command_blocks(page) if block.tested_by == test)
