"""Tests that the catalog of faults names existing tests."""

import re

from dev.checkout import ROOT

CATALOG = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")


def defined_tests() -> set[str]:
    return {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }


def test_every_fault_names_existing_tests_or_the_reason_for_none() -> None:
    """A fault without a test would be an unproven claim."""
    rows = re.findall(r"^\| (\d+) \| ([^|]+) \| ([^|]+) \|$", CATALOG, re.MULTILINE)
    assert [int(number) for number, _, _ in rows] == list(range(1, 55))
    for number, _, proof in rows:
        assert re.search(r"`test_\w+`", proof) or len(proof.split()) > 5, (
            f"row {number} has neither a test nor a reason"
        )


def test_every_test_named_in_the_catalog_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", CATALOG))

    assert named - defined_tests() == set()
