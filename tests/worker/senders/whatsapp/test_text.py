"""Tests names and ids in events."""

import pytest

from worker.senders.whatsapp import text


@pytest.mark.parametrize(
    "name",
    [
        "\u3164",
        "\u3164\u3164",
        "\u115f",
        "\u2800",
        "\uffa0",
        "\u200b\u200d\ufeff",
        "\u202e",
        "\U000e0020",
        "\u0301",
        " ",
    ],
)
def test_a_name_of_which_nothing_is_seen_is_none(name: str) -> None:
    """The list of chats would have rows without a visible name. With None, it shows the number."""
    assert text.name(name) is None


@pytest.mark.parametrize("name", ["Asha", "अ", ".", "😀", "❤\ufe0f", "\u200bAsha", "ᄀ\u1160", "عائشة", "\uf8ff"])
def test_a_name_of_which_something_is_seen_stays_as_it_is(name: str) -> None:
    """Joiners and selectors are parts of emoji and of many scripts."""
    assert text.name(name) == name
