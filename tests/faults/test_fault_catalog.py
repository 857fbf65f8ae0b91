import re
from pathlib import Path

from dev.checkout import ROOT

FAULTS = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")


def defined() -> set[str]:
    """The names of all tests."""
    return {
        name
        for path in Path(ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }


def test_every_row_names_tests_that_exist_or_says_why_there_is_none() -> None:
    """A table of faults that nobody can look up in the tests would be a promise on paper."""
    rows = re.findall(r"^\| (\d+) \| ([^|]+) \| ([^|]+) \|$", FAULTS, re.MULTILINE)
    assert [int(number) for number, _, _ in rows] == list(range(1, 55))
    known = defined()
    for number, _, proof in rows:
        named = re.findall(r"`(test_\w+)`", proof)

        assert set(named) <= known, f"row {number}: {set(named) - known}"
        assert named or len(proof.split()) > 5, f"row {number} names no test and gives no reason"
