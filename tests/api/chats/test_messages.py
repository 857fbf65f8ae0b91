"""Tests a conversation over HTTP."""

import random
import threading

import pytest

from store.model.facts import Delete, Edit, Reaction
from tests.support.history.history_writer import (
    BASE_TIME,
    SENDER_LID,
    SENDER_PHONE,
    ApiClient,
    HistoryWriter,
    alias_fact,
    message_fact,
)


def texts(client: ApiClient, address: str = SENDER_PHONE, **parameters: str | int | None) -> list[str]:
    return [one["message_text"] for one in client.get_data(f"/api/chats/{address}", **parameters)["messages"]]


def test_the_guides_fields_are_there_oldest_message_first(history: HistoryWriter, client: ApiClient) -> None:
    """Clients of the published guide print the list in the order of the response."""
    history.store(message_fact("Hi, in stock?", id="A"), message_fact("Yes!", 120_000, id="B", direction="outgoing"))

    data = client.get_data(f"/api/chats/{SENDER_PHONE}", limit=100)

    assert data["phoneNumber"] == SENDER_PHONE
    first, second = data["messages"]
    assert (first["direction"], first["from_number"], first["message_text"]) == (
        "incoming",
        SENDER_PHONE,
        "Hi, in stock?",
    )
    assert (second["direction"], second["to_number"], second["timestamp"]) == (
        "outgoing",
        SENDER_PHONE,
        BASE_TIME + 120_000,
    )
    assert isinstance(first["id"], int)
    assert first["created_at"].endswith("Z")


def test_the_newest_messages_are_shown_and_cursors_lead_to_the_rest_and_back(
    history: HistoryWriter, client: ApiClient
) -> None:
    """The first page is the end of the conversation. Paging up and down again returns each message once."""
    history.store(*(message_fact(f"{index}", index * 1000) for index in range(10)))
    page = client.get_data(f"/api/chats/{SENDER_PHONE}", limit=4)
    assert [one["message_text"] for one in page["messages"]] == ["6", "7", "8", "9"]
    assert page["after"] is None

    up = client.get_data(f"/api/chats/{SENDER_PHONE}", limit=4, before=page["before"])
    top = client.get_data(f"/api/chats/{SENDER_PHONE}", limit=4, before=up["before"])
    down = client.get_data(f"/api/chats/{SENDER_PHONE}", limit=8, after=top["after"])

    assert [one["message_text"] for one in up["messages"]] == ["2", "3", "4", "5"]
    assert [one["message_text"] for one in top["messages"]] == ["0", "1"]
    assert top["before"] is None
    assert [one["message_text"] for one in down["messages"]] == ["2", "3", "4", "5", "6", "7", "8", "9"]
    assert down["after"] is None


def test_around_lands_in_the_middle(history: HistoryWriter, client: ApiClient) -> None:
    """A search result or a deep link opens with the messages before and after it."""
    history.store(*(message_fact(f"{index}", index, id=f"M{index}") for index in range(11)))

    page = client.get_data(f"/api/chats/{SENDER_PHONE}", around="M5", limit=5)

    assert [one["message_text"] for one in page["messages"]] == ["3", "4", "5", "6", "7"]
    assert texts(client, before=page["before"]) == ["0", "1", "2"]
    assert texts(client, after=page["after"]) == ["8", "9", "10"]


def test_around_a_message_of_another_chat_is_404(history: HistoryWriter, client: ApiClient) -> None:
    """An id of another chat must not open this chat at an arbitrary position."""
    history.store(message_fact(id="HERE"), message_fact(id="THERE", address="919811000002"))

    answer = client.get(f"/api/chats/{SENDER_PHONE}", around="THERE")

    assert (answer.status_code, answer.json()["code"]) == (404, "message_not_found")


def test_messages_of_one_second_keep_their_order_over_pages(history: HistoryWriter, client: ApiClient) -> None:
    """The gateway's times are whole seconds, so equal times are common."""
    history.store(*(message_fact(f"{index}") for index in range(9)))
    everything = texts(client)
    seen: list[str] = []
    before = None
    while True:
        page = client.get_data(f"/api/chats/{SENDER_PHONE}", limit=2, before=before)
        seen = [one["message_text"] for one in page["messages"]] + seen
        before = page["before"]
        if before is None:
            break

    assert seen == everything
    assert sorted(seen) == [f"{index}" for index in range(9)]


@pytest.mark.parametrize(
    "spelling",
    ["+91 98110 00001", "00919811000001", "(91) 98110-00001", "919811000001@s.whatsapp.net",
     "919811000001:22@s.whatsapp.net", "919811000001@C.US", "९१९८११०००००१", SENDER_LID, "200000000000011:3@lid"],
)  # fmt: skip
def test_an_address_is_understood_in_any_spelling(history: HistoryWriter, client: ApiClient, spelling: str) -> None:
    """People paste numbers in many formats."""
    history.store(message_fact("one"), message_fact("two", 1, address=SENDER_LID), alias_fact())

    assert client.get_data(f"/api/chats/{spelling}")["phoneNumber"] == SENDER_PHONE
    assert texts(client, spelling) == ["one", "two"]


@pytest.mark.parametrize("spelling", ["hello", "@", "+", "%00", "a@b@c", "x" * 500])
def test_an_impossible_address_is_refused(client: ApiClient, spelling: str) -> None:
    """A typing error must not look like an empty chat."""
    answer = client.get(f"/api/chats/{spelling}")

    assert (answer.status_code, answer.json()["code"]) == (400, "bad_address")


def test_an_address_never_seen_has_no_messages(client: ApiClient) -> None:
    """Clients may request a chat before its first message."""
    data = client.get_data("/api/chats/+919899999999")

    assert (data["phoneNumber"], data["messages"], data["before"], data["after"]) == ("919899999999", [], None, None)


def test_all_sessions_are_shown_unless_one_is_named(history: HistoryWriter, client: ApiClient) -> None:
    """The published guide assumes one session. With two sessions, the messages of both are shown."""
    history.store(message_fact("to one"), session="s1")
    history.store(message_fact("to two", 1), session="s2")

    assert texts(client) == ["to one", "to two"]
    assert texts(client, session_id="s2") == ["to two"]


def test_filters_leave_out_the_rest(history: HistoryWriter, client: ApiClient) -> None:
    """Filters apply to direction, type and time. The period includes its start and excludes its end."""
    history.store(message_fact("a", 0), message_fact("b", 1000, direction="outgoing"), message_fact("c", 2000))
    history.store(message_fact(at=3000, type="image", caption="d"))

    assert texts(client, direction="outgoing") == ["b"]
    assert [one["caption"] for one in client.get_data(f"/api/chats/{SENDER_PHONE}", type="image")["messages"]] == ["d"]
    assert texts(client, since=BASE_TIME + 1000, until=BASE_TIME + 2000) == ["b"]
    assert texts(client, since="2025-06-15T15:06:42Z", until="2025-06-15T17:06:43+02:00") == ["c"]


def test_a_reaction_is_the_newest_of_each_reactor(history: HistoryWriter, client: ApiClient) -> None:
    """A changed reaction is shown once, and a removed one is not shown."""
    history.store(message_fact(id="A"))
    history.store(
        Reaction("A", SENDER_PHONE, "incoming", None, "👍", BASE_TIME + 1),
        Reaction("A", SENDER_PHONE, "incoming", None, "❤️", BASE_TIME + 2),
        Reaction("A", SENDER_PHONE, "outgoing", None, "😀", BASE_TIME + 3),
        Reaction("A", SENDER_PHONE, "outgoing", None, "", BASE_TIME + 4),
    )

    (shown,) = client.get_data(f"/api/chats/{SENDER_PHONE}")["messages"]

    assert [(one["emoji"], one["direction"]) for one in shown["reactions"]] == [("❤️", "incoming")]


def test_an_edit_shows_the_new_text_and_on_request_the_old_ones(history: HistoryWriter, client: ApiClient) -> None:
    """The original text may be the one that is needed."""
    history.store(message_fact("first", id="A"))
    history.store(Edit("A", SENDER_PHONE, "incoming", None, "second", BASE_TIME + 1000))
    history.store(Edit("A", SENDER_PHONE, "incoming", None, "third", BASE_TIME + 2000))

    (plain,) = client.get_data(f"/api/chats/{SENDER_PHONE}")["messages"]
    (versioned,) = client.get_data(f"/api/chats/{SENDER_PHONE}", versions="true")["messages"]

    assert (plain["message_text"], plain["edited"], plain["versions"]) == ("third", True, None)
    assert [one["text"] for one in versioned["versions"]] == ["first", "second", "third"]


def test_a_deleted_message_leaves_a_tombstone_without_its_text(history: HistoryWriter, client: ApiClient) -> None:
    """Deletion for everyone applies to our readers, too, but the fact that a message existed stays visible."""
    history.store(message_fact("secret", id="A"))
    history.store(Delete("A", SENDER_PHONE, "incoming", None, BASE_TIME + 1000))

    (shown,) = client.get_data(f"/api/chats/{SENDER_PHONE}", versions="true")["messages"]

    assert (shown["deleted"], shown["message_text"], shown["versions"]) == (True, None, [])
    assert client.get_data("/api/chats")["contacts"][0]["last_message"]["preview"] == "[deleted]"


@pytest.mark.parametrize("name", ["before", "after"])
@pytest.mark.parametrize("value", ["x", "AAAA", "ü", "a" * 9000, "e8bPNFsiYXNfb2YiLCIw"])
def test_a_cursor_that_we_did_not_make_is_refused(client: ApiClient, name: str, value: str) -> None:
    """A damaged cursor is refused and does not lead to another page."""
    answer = client.get(f"/api/chats/{SENDER_PHONE}", **{name: value})

    assert (answer.status_code, answer.json()["code"]) == (400, "bad_cursor")


@pytest.mark.long
def test_nothing_is_skipped_or_repeated_while_four_writers_insert(history: HistoryWriter, client: ApiClient) -> None:
    """Offset pages shift when rows are inserted. A cursor is a position between messages."""
    history.store(*(message_fact(f"old {index}", index * 1000) for index in range(300)))
    stop = threading.Event()

    def write(number: int) -> None:
        mine = HistoryWriter(history.database_url)
        generator = random.Random(number)
        while not stop.is_set():
            mine.store(*(message_fact("meanwhile", generator.randrange(400_000)) for _ in range(5)))

    def walk(direction: str, cursor: str | None) -> tuple[list[str], list[int], str]:
        seen: list[str] = []
        ids: list[int] = []
        end = ""
        while True:
            page = client.get_data(f"/api/chats/{SENDER_PHONE}", limit=7, **({direction: cursor} if cursor else {}))
            ids += [one["id"] for one in page["messages"]]
            seen += [one["message_text"] for one in page["messages"] if one["message_text"] != "meanwhile"]
            end = page["after" if direction == "before" else "before"] or end
            cursor = page[direction]
            if cursor is None:
                return seen, ids, end

    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for writer in writers:
        writer.start()
    up, up_ids, oldest = walk("before", None)
    stop.set()
    for writer in writers:
        writer.join()
    down, down_ids, _ = walk("after", oldest)

    assert sorted(up) == sorted(f"old {index}" for index in range(300))
    assert len(up_ids) == len(set(up_ids))
    assert len(down_ids) == len(set(down_ids))
    assert down == [text for text in (f"old {index}" for index in range(300)) if text in set(down)]
