"""Tests that commands in the documents are run by tests, and that links lead to existing headings."""

import re
from pathlib import Path

import pytest

from dev.checkout import ROOT
from environment.sender_kinds import KINDS
from tests.support.project import documentation
from tests.support.project.documentation import SHELL_LANGUAGES, CommandBlock

BLOCKS = [block for page in documentation.documents() for block in documentation.command_blocks(page)]
SENDER_QUESTIONS = [
    "How do I register it?",
    "How is a webhook verified?",
    "Which sessions does it have?",
    "What does it report?",
    "What does it never report?",
    "What must I know when I send?",
    "Which past messages can be read?",
]
LINK = re.compile(r"!?\[[^\]]*\]\((?!https?:|mailto:)([^)\s#]*)(#[^)\s]*)?\)")


def block_id(block: CommandBlock) -> str:
    return f"{block.page}: {block.lines.strip().splitlines()[0][:60]}"


@pytest.mark.parametrize("block", BLOCKS, ids=block_id)
def test_every_command_is_run_by_a_test_or_gives_a_reason(block: CommandBlock) -> None:
    """Untested commands become outdated. The line above each block names the test, or the reason why there is none."""
    assert bool(block.tested_by) != bool(block.not_run_reason), (
        "add <!-- tested by PATH --> or <!-- not run: REASON -->"
    )


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.tested_by], ids=block_id)
def test_the_named_test_reads_the_page(block: CommandBlock) -> None:
    """A test with its own copy of the commands would still pass after a change of the page."""
    test = ROOT / str(block.tested_by)

    assert test.is_file()
    assert Path(block.page).name in test.read_text()


def test_every_block_of_commands_is_marked_as_shell() -> None:
    """Otherwise, the tests above do not see it."""
    fences = [
        (page, language, first_line)
        for page in documentation.documents()
        for language, first_line in re.findall(r"^ *```(\w*)\n *([^\n]*)\n", (ROOT / page).read_text(), re.MULTILINE)
        if language or first_line
    ]
    commands = ("./run", "python", ".venv/bin", "curl", "docker", "kubectl", "psql", "pip", "sudo", "$ ")

    assert len(BLOCKS) > 15
    assert [fence for fence in fences if fence[1] not in SHELL_LANGUAGES and fence[2].startswith(commands)] == []


def test_no_command_in_a_sentence_is_broken_by_the_end_of_a_line() -> None:
    """Copied from the source of a page, it would run without the rest."""
    paragraphs = [
        (page, paragraph)
        for page in documentation.documents()
        for paragraph in re.sub(
            r"^ *```.*?^ *```", "", (ROOT / page).read_text(), flags=re.MULTILINE | re.DOTALL
        ).split("\n\n")
    ]

    broken = [(page, span) for page, text in paragraphs for span in re.findall("`[^`]*`", text) if "\n" in span]
    assert broken == []


@pytest.mark.parametrize("page", documentation.documents())
def test_every_link_within_the_repository_resolves(page: str) -> None:
    text = (ROOT / page).read_text()
    broken: list[str] = []
    for target, anchor in LINK.findall(text):
        path = (ROOT / page).parent / target if target else ROOT / page
        if not path.exists() or (anchor and path.suffix == ".md" and anchor[1:] not in anchors(path)):
            broken.append(target + anchor)

    assert broken == []


def anchors(path: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ +(.*)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def test_the_readme_links_every_page_and_fits_on_one() -> None:
    """The pages of the senders are an exception, because they are linked from the page about senders."""
    text = (ROOT / "README.md").read_text()
    linked = set(re.findall(r"\(((?:docs/)?\w+\.md)", text))

    assert linked == {page for page in documentation.documents() if page.count("/") < 2} - {"README.md"}
    assert len(text.splitlines()) < 130


def test_each_sender_has_a_page_with_the_same_questions_and_a_link_to_it() -> None:
    """Readers who compare gateways find each answer in the same place."""
    pages = {kind: (ROOT / "docs" / "senders" / f"{kind}.md").read_text() for kind in KINDS if kind != "sak"}

    assert {kind: re.findall(r"^## (.*)$", text, re.MULTILINE) for kind, text in pages.items()} == dict.fromkeys(
        pages, SENDER_QUESTIONS
    )
    linked = re.findall(r"\(senders/(\w+)\.md\)", (ROOT / "docs" / "senders.md").read_text())
    assert sorted(linked) == sorted(pages)
