"""Tests which errors of PostgreSQL are permanent, because the data causes them, and which are transient."""

import psycopg
import pytest

from store.postgres import errors


@pytest.mark.parametrize(
    ("sqlstate", "permanent"),
    [
        *((code, True) for code in ("21000", "22001", "22003", "22021", "22P02", "22P05", "23502", "23505", "23514")),
        *((code, True) for code in ("44000", "54000", "54001", "54011")),
        *((code, False) for code in ("08000", "08003", "08006", "0A000", "25006", "25P03", "28000", "28P01", "2D000")),
        *((code, False) for code in ("3D000", "40001", "40P01", "42501", "42703", "42P01", "53000", "53100", "53200")),
        *((code, False) for code in ("53300", "53400", "55000", "55006", "55P03", "57014", "57P01", "57P02", "57P03")),
        *((code, False) for code in ("57P04", "58000", "58030", "58P01", "72000", "F0000", "P0001", "XX000", "XX001")),
        (None, False),
    ],
)
def test_only_errors_caused_by_the_data_are_permanent(sqlstate: str | None, *, permanent: bool) -> None:
    """Any other error is retried, because parking an event on account of an outage would be a loss."""
    assert errors.is_permanent(sqlstate) is permanent


def test_every_code_that_postgresql_knows_has_a_verdict() -> None:
    """psycopg lists the codes. All codes of a class are on one side, except in 54, where only some limit values."""
    by_class: dict[str, set[bool]] = {}
    for name in dir(psycopg.errors):
        code: object = getattr(getattr(psycopg.errors, name), "sqlstate", None)
        if isinstance(code, str):
            by_class.setdefault(code[:2], set()).add(errors.is_permanent(code))

    assert {code for code, verdicts in by_class.items() if verdicts == {True}} >= {"21", "22", "23", "44"}
    assert {code for code, verdicts in by_class.items() if True in verdicts} == {"21", "22", "23", "44", "54"}
