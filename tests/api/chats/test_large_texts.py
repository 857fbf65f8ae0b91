"""Tests that pages of the largest messages of WhatsApp have a bounded size, and that cursors reach all of them."""

import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from api.chats import search, snippet
from dev.embedded.child_process import wait_until
from store.model.facts import Edit
from tests.support.history.history_writer import BASE_TIME, SENDER_PHONE, ApiClient, HistoryWriter, message_fact

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
        assert sum(len(message["message_text"].encode()) for message in page) < (512 << 10) + len(TEXT) * 4
        found.append([message["message_id"] for message in page])

    assert len(found) > 1
    pages = found if read_page is not changes else [page[::-1] for page in found]
    expected = [f"M{n}" for n in range(COUNT)]
    assert [each for page in pages for each in page] == (expected if read_page is changes else expected[::-1])


def test_texts_before_edits_shorten_a_page(history: HistoryWriter, client: ApiClient) -> None:
    """500 short messages that had been longer made a page of 500 MB."""
    history.store(*(message_fact("short", n, id=f"M{n}") for n in range(4)))
    for at, text in enumerate([TEXT, TEXT, TEXT, TEXT, TEXT, "short"], 10):
        history.store(*(Edit(f"M{n}", SENDER_PHONE, "incoming", None, text, BASE_TIME + at) for n in range(4)))

    pages: list[list[str]] = []
    cursor = None
    while cursor or not pages:
        page = client.get_data(f"/api/chats/{SENDER_PHONE}", limit=500, before=cursor, versions=True)
        sizes = [len(version["text"].encode()) for one in page["messages"] for version in one["versions"]]
        assert 0 < sum(sizes) <= 1 << 20
        pages.append([one["message_id"] for one in page["messages"]])
        cursor = page["before"]

    assert pages == [["M3"], ["M2"], ["M1"], ["M0"]]
    assert len(client.get_data(f"/api/chats/{SENDER_PHONE}", limit=500)["messages"]) == 4


def test_a_page_of_typing_errors_is_marked_for_a_limited_time(
    history: HistoryWriter, client: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Comparing a text with a word takes milliseconds, and a page has 500 texts."""
    monkeypatch.setattr(search, "_MAX_MARKING_SECONDS", -1)
    history.store(message_fact("please receive it"))
    assert wait_until(lambda: history.rows("SELECT count(*) FROM search_index") == [(1,)], 20)

    (hit,) = client.get_data("/api/search", q="recieve")["results"]

    assert (hit["snippet"], hit["ranges"]) == ("please receive it", [])


@pytest.mark.parametrize("text", ["\U0001f600" * 65_000, "a\u0301" * 32_000], ids=["emoji", "accents"])
def test_the_snippet_of_a_large_text_takes_little_memory(text: str) -> None:
    """Six concurrent searches for such texts took 19 s of processor time: a snippet looked at each character."""
    snippet.extract(text, ("needle",), fuzzy=False)
    tracemalloc.start()
    try:
        snippet.extract(text, ("needle",), fuzzy=False)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 24 * len(text)


def test_the_snippet_of_a_late_match_is_found(history: HistoryWriter, client: ApiClient) -> None:
    """Only the part of a text around its match is processed character by character."""
    history.store(message_fact("\U0001f600 a\u0301 " * 12_000 + "PO-88/2231-X and the needle"))
    assert wait_until(lambda: history.rows("SELECT count(*) FROM search_index") == [(1,)], 20)

    for query, marked in (("needle", "needle"), ("po882231x", "PO-88/2231-X")):
        (hit,) = client.get_data("/api/search", q=query)["results"]
        assert [hit["snippet"][start:end] for start, end in hit["ranges"]] == [marked]
