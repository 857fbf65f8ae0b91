"""Tests the parser of times in SAK's responses."""

import pytest

from api.gateway import times


@pytest.mark.parametrize(
    "text",
    [
        "2024-12-19T10:30:00.500Z",
        "2024-12-19T16:00:00.500+05:30",
        "2024-12-19 10:30:00.500+00",
        "2024-12-19 10:30:00.500",
        "1734604200500",
    ],
)
def test_a_time_is_read_in_each_of_its_forms(text: str) -> None:
    """JavaScript, PostgreSQL and SQLite use different formats. A time without an offset is in UTC."""
    assert times.to_ms(text) == 1_734_604_200_500


def test_seconds_are_not_milliseconds() -> None:
    assert times.to_ms("1734604200") == 1_734_604_200_000


@pytest.mark.parametrize("text", [None, "", "soon", "12", "9" * 40, "2024-13-40"])
def test_anything_else_is_no_time(text: str | None) -> None:
    assert times.to_ms(text) is None
