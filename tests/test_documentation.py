"""What our documents claim about themselves: who runs their commands, and where their links lead."""

import re
from pathlib import Path

import pytest

from dev.checkout import ROOT
from tests.support import documentation
from tests.support.documentation import SHELL_LANGUAGES, CommandBlock

BLOCKS = [block for each in documentation.documents() for block in documentation.command_blocks(each)]
LINK = re.compile(r"!?\[[^\]]*\]\((?!https?:|mailto:)([^)\s#]*)(#[^)\s]*)?\)")


def ids(block: CommandBlock) -> str:
    return f"{block.page}: {block.lines.strip().splitlines()[0][:60]}"


@pytest.mark.parametrize("block", BLOCKS, ids=ids)
def test_every_command_is_run_by_a_test_or_says_why_not(block: CommandBlock) -> None:
    """A line that nobody runs is wrong some day; above each block stands who runs it, or `<!-- not run: reason -->`."""
    assert bool(block.tested_by) != bool(block.not_run_reason), "say above the block who runs it, or why nobody does"


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.tested_by], ids=ids)
def test_the_test_that_is_named_reads_the_page(block: CommandBlock) -> None:
    """A test that has the lines in itself would go on passing when the page changes."""
    test = ROOT / str(block.tested_by)

    assert test.is_file()
    assert Path(block.page).name in test.read_text()


def test_no_block_escapes_by_its_spelling() -> None:
    """What is fenced and begins like a command must be in a language that the tests above look at."""
    fences = [
        (each, language, first)
        for each in documentation.documents()
        for language, first in re.findall(r"^ *```(\w*)\n *([^\n]*)\n", (ROOT / each).read_text(), re.MULTILINE)
        if language or first
    ]
    commands = ("./run", "python", ".venv/bin", "curl", "docker", "kubectl", "psql", "pip", "sudo", "$ ")

    assert len(BLOCKS) > 15
    assert [one for one in fences if one[1] not in SHELL_LANGUAGES and one[2].startswith(commands)] == []


@pytest.mark.parametrize("each", documentation.documents())
def test_links_lead_somewhere(each: str) -> None:
    """Within this repository; what others serve is theirs."""
    text = (ROOT / each).read_text()
    dead: list[str] = []
    for target, anchor in LINK.findall(text):
        path = (ROOT / each).parent / target if target else ROOT / each
        if not path.exists() or (anchor and path.suffix == ".md" and anchor[1:] not in anchors(path)):
            dead.append(target + anchor)

    assert dead == []


def anchors(path: Path) -> set[str]:
    """The headings of a page as browsers of repositories name them."""
    headings = re.findall(r"^#+ +(.*)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def test_the_readme_leads_to_every_page_and_stays_one() -> None:
    text = (ROOT / "README.md").read_text()
    reachable = set(re.findall(r"\(((?:docs/)?\w+\.md)", text))

    assert reachable == set(documentation.documents()) - {"README.md"}
    assert len(text.splitlines()) < 130
