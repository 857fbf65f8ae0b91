"""Tests the search for messages."""

import psycopg
import pytest

from store.model.facts import Delete, Edit
from store.reading.search import search as message_search
from tests.support.history.history_writer import (
    BASE_TIME,
    SENDER_LID,
    SENDER_PHONE,
    ApiClient,
    HistoryWriter,
    alias_fact,
    message_fact,
    name_fact,
)
from tests.support.history.searching import search, texts


@pytest.mark.parametrize(
    ("text", "q"),
    [
        ("Do you have the blue shirt?", "blue"),
        ("Do you have the blue shirt?", "SHIRT blue"),
        ("unbelievable", "liev"),
        ("नमस्ते दुनिया", "नमस्ते"),
        ("नमस्ते दुनिया", "दुनि"),
        ("مرحبا بالعالم", "العالم"),
        ("你好世界朋友", "世界"),
        ("你好世界朋友", "好"),
        ("こんにちは", "にち"),
        ("안녕하세요", "녕하세"),
        ("great 👍🏽 thanks", "👍"),
        ("I ❤️ it", "❤"),
        ("Ünïcode ﬁsh", "ünïcode fish"),
        ("call +91 98110-00001 now", "919811000001"),
        ("call 919811000001 now", "+91 (98110) 00001"),
        ("your order 4711-0815 is ready", "47110815"),
        ("आदेश १२३४५", "12345"),
        ("ઓર્ડર ૧૨૩૪૫", "12345"),
        ("order 67890", "૬૭૮૯૦"),
        ("ऑर्डर", "ऑर्\u200dडर"),
        ("गुज\u200cरात", "गुजरात"),
        ("Café", "cafe"),
        ("Cafe\u0301", "CAFÉ"),
        ("Order no. PO-88/2231-X please", "PO88"),
        ("our order KT INS114 DRE", "KTINS114DRE"),
        ("100% sure_thing", "100%"),
        ("100% sure_thing", "sure_"),
    ],
)
def test_words_parts_of_words_and_numbers_are_found_in_any_script(
    history: HistoryWriter, client: ApiClient, text: str, q: str
) -> None:
    """People search for the words that they remember, in their own script."""
    history.store(message_fact("something else 5"), message_fact(text, 1), message_fact("and more", 2))

    assert texts(client, q) == [text]


@pytest.mark.parametrize(("text", "q"), [("please receive it", "recieve"), ("the invoice is late", "invioce")])
def test_a_typing_error_is_forgiven_when_nothing_is_found_as_written(
    history: HistoryWriter, client: ApiClient, text: str, q: str
) -> None:
    """The response says that it is fuzzy, because it contains other words than the query."""
    history.store(message_fact("unrelated"), message_fact(text, 1))

    data = search(client, q)

    assert [one["message_text"] for one in data["results"]] == [text]
    assert data["fuzzy"] is True


def test_ranges_are_the_positions_of_the_words_in_the_snippet(history: HistoryWriter, client: ApiClient) -> None:
    """A result that does not show its match looks like an error."""
    history.store(message_fact("😀 filler " * 30 + "the Invoice for +91 98110-00001 " + "tail " * 50))

    (found,) = search(client, "invoice 919811000001")["results"]

    assert [found["snippet"][start:end] for start, end in found["ranges"]] == ["Invoice", "91 98110-00001"]
    assert len(found["snippet"]) <= 200


@pytest.mark.parametrize(
    ("text", "q", "shown"),
    [
        ("Order no. PO-88/2231-X please", "po88", ["PO-88"]),
        ("our order KT INS114 DRE now", "KTINS114DRE", ["KT INS114 DRE"]),
        ("ઓર્ડર ૧૨૩\u00a0૪૫ ok", "12345", ["૧૨૩\u00a0૪૫"]),
        ("a Cafe\u0301 ok", "cafe", ["Café"]),
        ("z" + "\u0301" * 60_000 + " needle", "needle", ["needle"]),
        ("手机 iPhone手机", "iphone手", ["iPhone手"]),
    ],
)
def test_ranges_are_in_the_text_as_it_was_written(
    history: HistoryWriter, client: ApiClient, text: str, q: str, shown: list[str]
) -> None:
    history.store(message_fact(text))

    (found,) = search(client, q)["results"]

    assert [found["snippet"][start:end] for start, end in found["ranges"]] == shown
    assert len(found["snippet"]) <= 200


def test_results_lead_into_their_chat(history: HistoryWriter, client: ApiClient) -> None:
    """A result is a message in the same format as in its chat, with the name of the chat and a link to it."""
    history.store(message_fact("needle", id="N"), name_fact("John"))

    (found,) = search(client, "needle")["results"]
    page = client.get_data(f"/api/chats/{found['address']}", around=found["message_id"])

    assert found["name"] == "John"
    assert {key: found[key] for key in page["messages"][0]} == page["messages"][0]


def test_pages_of_results_join_newest_first(history: HistoryWriter, client: ApiClient) -> None:
    """No result is skipped if many messages have the same text and time."""
    history.store(*(message_fact(f"needle {index}", index // 3) for index in range(20)))
    search(client, "needle")
    seen: list[str] = []
    cursor = None
    while True:
        page = client.get_data("/api/search", q="needle", limit=6, cursor=cursor)
        seen += [one["message_text"] for one in page["results"]]
        times = [one["timestamp"] for one in page["results"]]
        assert times == sorted(times, reverse=True)
        cursor = page["cursor"]
        if cursor is None:
            break

    assert sorted(seen) == sorted(f"needle {index}" for index in range(20))


def test_filters_leave_out_the_rest(history: HistoryWriter, client: ApiClient) -> None:
    """The filters are the same as in a chat, and a chat is selected by any of its addresses."""
    history.store(message_fact("needle a"), message_fact("needle b", 1000, direction="outgoing"))
    history.store(message_fact("needle c", 2000, address=SENDER_LID), alias_fact())
    history.store(message_fact("needle d", 3000, address="919811000002"), session="s2")
    history.store(message_fact(type="image", caption="needle e", at=4000, address="919811000003"))

    assert texts(client, "needle", direction="outgoing") == ["needle b"]
    assert texts(client, "needle", type="image") == ["needle e"]
    assert texts(client, "needle", session_id="s2") == ["needle d"]
    assert texts(client, "needle", address=SENDER_PHONE) == ["needle c", "needle b", "needle a"]
    assert texts(client, "needle", address=SENDER_LID) == ["needle c", "needle b", "needle a"]
    assert texts(client, "needle", since=BASE_TIME + 1000, until=BASE_TIME + 3000) == ["needle c", "needle b"]


def test_the_matches_of_all_pages_are_counted(history: HistoryWriter, client: ApiClient) -> None:
    """They are counted up to a limit. A single page that contains all matches needs no count."""
    history.store(*(message_fact(f"needle {index}", index) for index in range(12)), message_fact("invoice", 20))
    history.store(*(message_fact("needle", index, address="919811000002", direction="outgoing") for index in range(3)))
    first = search(client, "needle", count="true", limit=5)

    assert first["count"] == 15
    assert client.get_data("/api/search", q="needle", count="true", limit=5, cursor=first["cursor"])["count"] == 15
    assert search(client, "needle", limit=5)["count"] is None
    assert search(client, "needle", count="true", address=SENDER_PHONE, limit=5)["count"] == 12
    assert search(client, "needle", count="true", direction="outgoing", limit=2)["count"] == 3
    assert search(client, "invioce", count="true")["count"] == 1
    assert search(client, "nowhere", count="true")["count"] == 0


def test_only_chats_of_a_kind_or_a_state_are_searched(history: HistoryWriter, client: ApiClient) -> None:
    group, answered, waiting = "120363041234567890@g.us", "919811000001", "919811000002"
    history.store(
        message_fact("the parcel", 1, address=group),
        message_fact("the parcel", 2, address=answered),
        message_fact("it left", 3, address=answered, direction="outgoing"),
        message_fact("the parcel", 4, address=waiting),
    )

    def chats(**filters: str) -> list[str]:
        return [hit["address"] for hit in search(client, "parcel", **filters)["results"]]

    assert chats() == [waiting, answered, group]
    assert chats(kind="group") == [group]
    assert chats(waiting="true", kind="phone") == [waiting]
    assert chats(unread="true") == [waiting, group]


def test_an_edited_message_is_found_by_its_new_text_and_a_deleted_one_not_at_all(
    history: HistoryWriter, client: ApiClient
) -> None:
    """A deleted message must not be found."""
    history.store(message_fact("first words", id="A"), message_fact("secret words", 1, id="B"))
    history.store(
        Edit("A", SENDER_PHONE, "incoming", None, "second words", BASE_TIME + 10),
        Delete("B", SENDER_PHONE, "incoming", None, BASE_TIME),
    )

    assert texts(client, "words") == ["second words"]
    assert texts(client, "first words") == []
    assert history.rows("SELECT count(*) FROM search_index WHERE text ~ 'secret'") == [(0,)]


def test_words_that_are_in_too_many_messages_are_refused_clearly(history: HistoryWriter, client: ApiClient) -> None:
    """A search that takes too long is stopped, and the error says what to do."""
    history.store(message_fact("hello"))
    search(client, "hello")
    with psycopg.connect(history.database_url) as slow:
        slow.execute("LOCK TABLE search_index")
        answer = client.get("/api/search", q="hello")

    assert (answer.status_code, answer.json()["code"]) == (400, "query_too_broad")


def test_a_typing_error_in_words_of_many_messages_is_looked_up_in_the_newest(
    history: HistoryWriter, client: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Similar words of all messages may take too long to find. Nobody asked for them, so that is no error."""
    history.store(message_fact("please order 5512"))
    search(client, "please")
    monkeypatch.setattr(message_search, "SIMILAR_TIMEOUT", "1ms")  # planning the query takes longer

    data = search(client, "pleese ordre")

    assert ([one["message_text"] for one in data["results"]], data["fuzzy"]) == (["please order 5512"], True)
    assert search(client, "skuececec")["results"] == []


@pytest.mark.parametrize("q", ["", " ", "\0", "x" * 600, "a b c d e f g h i"])
def test_a_query_without_words_is_refused(client: ApiClient, q: str) -> None:
    """Invalid input must never cause a 500."""
    answer = client.get("/api/search", q=q)

    assert (answer.status_code, answer.json()["success"]) == (400, False)
