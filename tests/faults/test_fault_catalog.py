"""Tests that the catalog of faults names a test of each fault (tests/test_glossary.py checks that it exists)."""

import re

from dev.checkout import ROOT

CATALOG = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")


def test_every_fault_names_tests_or_the_reason_for_none() -> None:
    """A fault without a test would be an unproven claim."""
    rows = re.findall(r"^\| (\d+) \| ([^|]+) \| ([^|]+) \|$", CATALOG, re.MULTILINE)
    assert [int(number) for number, _, _ in rows] == list(range(1, 55))
    for number, _, proof in rows:
        assert re.search(r"`test_\w+`", proof) or len(proof.split()) > 5, (
            f"row {number} has neither a test nor a reason"
        )
