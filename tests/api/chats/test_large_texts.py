"""Tests that pages of the largest messages of WhatsApp have a bounded size, and that cursors reach all of them."""

from collections.abc import Callable
from typing import Any

import pytest

from dev.embedded.child_process import wait_until
from store.reading import json_views
from tests.support.history_writer import SENDER_PHONE, ApiClient, HistoryWriter, message_fact

COUNT = 10
TEXT = "needle " + "\U0001f600" * 65_000
"""A quarter of a mebibyte."""


def messages(client: ApiClient, cursor: str | None) -> tuple[Any, str | None]:
    page = client.get_data(f"/api/chats/{SENDER_PHONE}", limit=500, before=cursor)
    return page["messages"][::-1], page["before"]


def hits(client: ApiClient, cursor: str | None) -> tuple[Any, str | None]:
    page = client.get_data("/api/search", q="needle", limit=500, cursor=cursor)
    return page["results"], page["cursor"]


def changes(client: ApiClient, cursor: str | None) -> tuple[Any, str | None]:
    page = client.get_data("/api/changes", limit=500, since=cursor)
    return [one["message"] for one in page["changes"] if one["message"]][::-1], page["cursor"] if page["more"] else None


@pytest.mark.parametrize("read_page", [messages, hits, changes])
def test_a_page_has_fewer_messages_where_they_are_large(
    history: HistoryWriter, client: ApiClient, read_page: Callable[[ApiClient, str | None], tuple[Any, str | None]]
) -> None:
    """A page of 500 such messages has 130 MB. Four concurrent readers of it used 2 GB of memory."""
    start = client.current_cursor() if read_page is changes else None
    history.store(*(message_fact(TEXT, n, id=f"M{n}") for n in range(COUNT)))
    assert wait_until(lambda: history.rows("SELECT count(*) FROM search_index") == [(COUNT,)], 20)

    found: list[list[str]] = []
    cursor = start
    while cursor or not found:
        page, cursor = read_page(client, cursor)
        assert (
            sum(len(message["message_text"].encode()) for message in page) < json_views.MAX_PAGE_BYTES + len(TEXT) * 4
        )
        found.append([message["message_id"] for message in page])

    assert len(found) > 1
    pages = found if read_page is not changes else [page[::-1] for page in found]
    expected = [f"M{n}" for n in range(COUNT)]
    assert [each for page in pages for each in page] == (expected if read_page is changes else expected[::-1])


def test_the_snippet_of_a_late_match_is_found(history: HistoryWriter, client: ApiClient) -> None:
    """Only the part of a text around its match is processed character by character."""
    history.store(message_fact("\U0001f600 a\u0301 " * 12_000 + "PO-88/2231-X and the needle"))
    assert wait_until(lambda: history.rows("SELECT count(*) FROM search_index") == [(1,)], 20)

    for query, marked in (("needle", "needle"), ("po882231x", "PO-88/2231-X")):
        (hit,) = client.get_data("/api/search", q=query)["results"]
        assert [hit["snippet"][start:end] for start, end in hit["ranges"]] == [marked]
