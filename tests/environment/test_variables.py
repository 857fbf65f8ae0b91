"""Tests how numbers and switches are read from variables."""

import pytest

from environment import variables
from telemetry.errors import SettingsError


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_variable_has_its_default(text: str) -> None:
    assert variables.whole_number({"N": text}, "N", 7) == 7
    assert variables.switch({"S": text}, "S") is False


@pytest.mark.parametrize("text", ["3", " 3 ", "03"])
def test_a_number_is_read(text: str) -> None:
    assert variables.whole_number({"N": text}, "N", 7) == 3


@pytest.mark.parametrize("text", ["0", "6", "-2", "+2", "2.5", "two", "٣", "²", "1e3", "1_000", "9" * 5000])
def test_anything_but_a_number_within_the_bounds_is_refused_with_the_bounds(text: str) -> None:
    """`int` alone would accept some of these."""
    with pytest.raises(SettingsError, match="N must be a whole number from 1 to 5, not"):
        variables.whole_number({"N": text}, "N", 3, minimum=1, maximum=5)


@pytest.mark.parametrize("text", ["1", "Yes", "true"])
def test_a_switch_is_on(text: str) -> None:
    assert variables.switch({"S": text}, "S")


@pytest.mark.parametrize("text", ["0", "no", "FALSE"])
def test_a_switch_is_off(text: str) -> None:
    assert not variables.switch({"S": text}, "S")


def test_anything_else_is_no_switch() -> None:
    """`API_HTTPS=on` must not silently turn TLS cookies off."""
    with pytest.raises(SettingsError, match="S must be 1 or 0, not 'on'"):
        variables.switch({"S": "on"}, "S")
