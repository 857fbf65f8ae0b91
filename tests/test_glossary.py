"""Tests the words and names in code and pages: each defined term is used, and each named path or test exists."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.checkout import ROOT
from store.postgres import migrator
from tests.support.project import documentation

GLOSSARY = "docs/glossary.md"
TERM = re.compile(r"^\| (?!term \||-)([^|]+) \| ([^|]+) \|$", re.MULTILINE)
FOLDERS = ("ingest", "worker", "store", "api", "http_server", "environment", "telemetry", "dev", "tests")
COMMENTED_FILES = ("*.sql", "*.yml", "*.yaml", "*.toml", "*.sh", "*.service", "Dockerfile", "Procfile")
PATH = re.compile(
    rf"(?<![\w/.:-])(?:(?:{'|'.join(FOLDERS)}|docs|deploy|\.ci)/[\w./-]*\w"
    r"|[A-Z]+\.md|pyproject\.toml|requirements[\w-]*\.lock)(?![\w/]*[{<*…])"
)
NO_PATH = re.compile(r"(?:api|ingest|worker|store)/\w+|.*/[A-Z]+")
"""The path of a URL, such as api/chats; two alternatives, such as ingest/worker; a placeholder, such as docs/PAGE."""


def terms() -> dict[str, str]:
    return dict(TERM.findall((ROOT / GLOSSARY).read_text()))


def sources() -> list[Path]:
    """Return all modules, migrations and configuration files with comments."""
    modules = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    others = [
        path
        for folder in (*FOLDERS, "deploy")
        for pattern in COMMENTED_FILES
        for path in (ROOT / folder).rglob(pattern)
    ]
    return sorted({*modules, *others, *(path for pattern in COMMENTED_FILES for path in ROOT.glob(pattern))})


def prose(path: Path) -> Iterator[str]:
    """Return the comments and docstrings of a file."""
    text = path.read_text()
    if path.suffix != ".py":
        yield from re.findall(r"(?:--|#) (.*)", text)
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.string
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value.value


def missing_paths(text: str) -> set[str]:
    named = {match[0] for match in PATH.finditer(text)}
    return {path for path in named if not (ROOT / path).exists() and not NO_PATH.fullmatch(path)}


def test_every_term_has_one_definition_of_one_line() -> None:
    """Nobody reads a longer glossary."""
    rows = TERM.findall((ROOT / GLOSSARY).read_text())

    assert 25 <= len(rows) <= 60
    assert len(terms()) == len(rows)
    assert [term for term, definition in rows if len(definition) > 160] == []


def test_every_term_is_used_outside_the_glossary() -> None:
    """A term that neither code nor pages use needs no definition."""
    pages = [ROOT / page for page in documentation.documents() if page != GLOSSARY]
    text = " ".join(path.read_text() for path in (*pages, *sources())).lower().replace("_", " ")

    assert [term for term in terms() if term.lower() not in text] == []


@pytest.mark.parametrize("page", documentation.documents())
def test_a_path_named_on_a_page_exists(page: str) -> None:
    spans = re.findall(r"`([^`\n]+)`", (ROOT / page).read_text())

    assert {path for span in spans for path in missing_paths(span)} == set()


@pytest.mark.parametrize("page", documentation.documents())
def test_a_test_named_on_a_page_exists(page: str) -> None:
    """A promise on a page is worth its test, which somebody may have renamed."""
    named = set(re.findall(r"`(test_\w+)`", (ROOT / page).read_text()))
    tests = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        if named
        for name in re.findall(r"^ *(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE)
    }

    assert named - tests == set()


def test_a_path_named_in_a_comment_exists() -> None:
    """A comment that names a moved file misleads. A migration is not edited after its release, so it may name one."""
    dead = {
        (str(path.relative_to(ROOT)), name)
        for path in sources()
        if path.parent != migrator.MIGRATIONS_FOLDER
        if missing_paths(path.read_text())  # finding the comments takes longer
        for text in prose(path)
        for name in missing_paths(text)
    }

    assert dead == set()
