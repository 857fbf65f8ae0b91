"""Tests quotation marks that Docker's `--env-file` passes on as a part of a secret."""

import pytest

from environment import secret_list
from telemetry.errors import SettingsError


@pytest.mark.parametrize(
    ("text", "secrets"),
    [
        ("one,two", ["one", "two"]),
        ("'one','two'", ["one", "two"]),
        ('"one","two"', ["one", "two"]),
        ('"one,two"', ["one", "two"]),
        (" 'one' , \"two\" ,", ["one", "two"]),
        ("o'ne", ["o'ne"]),
        ("''", []),
    ],
)
def test_matching_quotes_are_no_part_of_a_secret(text: str, secrets: list[str]) -> None:
    assert secret_list.read("WEBHOOK_SECRETS", text) == secrets


@pytest.mark.parametrize("text", ["'private", 'private"', "'private\"", "one,'private", '"'])
def test_a_quote_without_its_counterpart_is_refused(text: str) -> None:
    """With half a quotation mark in the secret, every webhook would get 401."""
    with pytest.raises(SettingsError, match="WEBHOOK_SECRETS has a quotation mark without its counterpart") as error:
        secret_list.read("WEBHOOK_SECRETS", text)
    assert "private" not in str(error.value)
