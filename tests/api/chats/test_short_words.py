"""Tests the search for one or two letters, whose parts the index does not know."""

import pytest

from tests.support.history.history_writer import ApiClient, HistoryWriter, message_fact
from tests.support.history.searching import search


@pytest.mark.parametrize(
    ("text", "q", "shown"),
    [
        ("a book is ok", "ok", ["ok"]),
        ("(OK!) okay", "OK", ["OK", "ok"]),
        ("*TV* or smart_tv", "tv", ["TV", "tv"]),
        ("नमक न", "न", ["न", "न"]),
        ("100% #1, 21", "1", ["1", "1"]),
        ("你好世界", "世", ["世"]),
    ],
)
def test_one_or_two_letters_are_found_and_shown_at_the_beginning_of_words(
    history: HistoryWriter, client: ApiClient, text: str, q: str, shown: list[str]
) -> None:
    """Letters within words are in most messages."""
    history.store(message_fact("a book, three stvs, अनन"), message_fact(text, 1))

    (found,) = search(client, q)["results"]

    assert found["message_text"] == text
    assert [found["snippet"][start:end] for start, end in found["ranges"]] == shown
