"""Tests the list of chats."""

import pytest

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


def test_the_guides_fields_are_there_newest_chat_first(history: HistoryWriter, client: ApiClient) -> None:
    """Clients of the published guide read these four names and expect the newest chat on top."""
    history.store(message_fact("old", address="919811000002"), message_fact("new", 5000), name_fact("John"))

    contacts = client.get_data("/api/chats")["contacts"]

    assert [contact["phone_number"] for contact in contacts] == [SENDER_PHONE, "919811000002"]
    assert contacts[0]["name"] == "John"
    assert contacts[0]["last_message_at"] == "2025-06-15T15:06:45.000Z"
    assert contacts[0]["unread_count"] == 1


def test_a_chat_without_a_phone_has_an_address_and_no_phone_number(history: HistoryWriter, client: ApiClient) -> None:
    """If a LID or a group were shown as a number, somebody might call it."""
    history.store(message_fact(address=SENDER_LID), message_fact(at=1, address="120363041234567890@g.us"))

    contacts = client.get_data("/api/chats")["contacts"]

    assert [(contact["phone_number"], contact["address"], contact["kind"]) for contact in contacts] == [
        (None, "120363041234567890@g.us", "group"),
        (None, SENDER_LID, "lid"),
    ]


def test_a_merged_lid_is_shown_once_as_its_phone(history: HistoryWriter, client: ApiClient) -> None:
    """If one person had two rows, each would show only a part of the conversation."""
    history.store(message_fact("as a phone"), message_fact("as a LID", 1, address=SENDER_LID), alias_fact())

    (contact,) = client.get_data("/api/chats")["contacts"]

    assert (contact["address"], contact["unread_count"]) == (SENDER_PHONE, 2)
    assert contact["last_message"]["preview"] == "as a LID"


@pytest.mark.parametrize(
    ("told", "preview"),
    [
        (message_fact("Grüße"), "Grüße"),
        (message_fact(type="image"), "[image]"),
        (message_fact(type="image", caption="the roof"), "the roof"),
        (message_fact(type="sticker"), "[sticker]"),
    ],
)
def test_the_preview_of_a_message_without_text_is_a_word(
    history: HistoryWriter, client: ApiClient, told: object, preview: str
) -> None:
    """An empty preview would look like a lost message."""
    history.store(told)  # pyright: ignore[reportArgumentType] - parametrize erases the type

    (contact,) = client.get_data("/api/chats")["contacts"]

    assert contact["last_message"]["preview"] == preview


def test_pages_lead_through_all_chats_once(history: HistoryWriter, client: ApiClient) -> None:
    """If a cursor skipped a chat, a customer would not be seen."""
    history.store(*(message_fact(at=index // 2, address=f"9198110000{index:02}") for index in range(25)))
    seen: list[str] = []
    cursor = None
    while True:
        page = client.get_data("/api/chats", limit=4, cursor=cursor)
        seen += [contact["address"] for contact in page["contacts"]]
        cursor = page["cursor"]
        if cursor is None:
            break

    assert len(seen) == 25
    assert len(set(seen)) == 25


def test_after_lists_the_chats_that_came_to_the_top_since(history: HistoryWriter, client: ApiClient) -> None:
    """Chats move up while somebody pages down. Paging in the other direction finds them."""
    history.store(*(message_fact(at=index, address=f"91981100000{index}") for index in range(5)))
    first = client.get_data("/api/chats", limit=2)
    history.store(message_fact(at=100, address="919811000000"), message_fact(at=101, address="919811000009"))

    page = client.get_data("/api/chats", after=first["after"])

    assert [contact["address"] for contact in page["contacts"]] == ["919811000009", "919811000000"]


def test_filters_leave_out_the_rest(history: HistoryWriter, client: ApiClient) -> None:
    """Users of an inbox filter by unread, waiting, kind and session."""
    history.store(message_fact(address="919811000001"), message_fact(at=1, address="919811000002"))
    history.store(message_fact(at=2, address="919811000002", direction="outgoing"))
    history.store(message_fact(at=3, address="120363041234567890@g.us"), session="s2")
    client.post("/api/chats/919811000001/read")

    def addresses(**filters: str) -> list[str]:
        return [contact["address"] for contact in client.get_data("/api/chats", **filters)["contacts"]]

    assert addresses(unread="true") == ["120363041234567890@g.us"]
    assert addresses(unmarked="true") == ["120363041234567890@g.us", "919811000002"]
    assert addresses(waiting="true") == ["120363041234567890@g.us", "919811000001"]
    assert addresses(kind="group") == ["120363041234567890@g.us"]
    assert addresses(session_id="s1") == ["919811000002", "919811000001"]
    assert addresses(session_id="nobody") == []


def test_chats_are_counted_as_the_filters_list_them(history: HistoryWriter, client: ApiClient) -> None:
    history.store(message_fact(address="919811000001"), message_fact(at=1, address="919811000002"))
    history.store(message_fact(at=2, address="919811000002", direction="outgoing"))
    history.store(message_fact(at=3, address="120363041234567890@g.us"), session="s2")

    assert client.get_data("/api/chat-counts") == {"all": 3, "unread": 2, "waiting": 2, "groups": 1}
    assert client.get_data("/api/chat-counts", session_id="s1") == {"all": 2, "unread": 1, "waiting": 1, "groups": 0}


def test_who_waits_longest_is_served_first(history: HistoryWriter, client: ApiClient) -> None:
    """A contact who writes again has waited since the first message, and nobody waits for an answer to a broadcast."""
    first, second, third = "919811000001", "919811000002", "919811000003"
    history.store(
        message_fact("first", 1000, address=first),
        message_fact("second", 2000, address=second),
        message_fact("third", 3000, address=third),
        message_fact("still there?", 4000, address=first),
        message_fact("a status", 500, address="status@broadcast"),
    )
    waiting = {"sort": "waiting_since"}
    page = client.get_data("/api/chats", **waiting, limit=2)
    history.store(message_fact("answer", 5000, address=second, direction="outgoing"))
    rest = client.get_data("/api/chats", **waiting, limit=2, cursor=page["cursor"])

    assert [chat["address"] for chat in page["contacts"]] == [first, second]
    assert [chat["address"] for chat in rest["contacts"]] == [third]
    assert (page["after"], rest["cursor"]) == (None, None)
    assert [chat["address"] for chat in client.get_data("/api/chats", **waiting)["contacts"]] == [first, third]
    newest = client.get_data("/api/chats", limit=1)
    for wrong in ({"cursor": newest["cursor"]}, {"after": newest["after"]}):
        assert client.get("/api/chats", **waiting, **wrong).status_code == 400


@pytest.mark.parametrize("limit", ["0", "-1", "501", "1e9", "ten", "", "٣", "99999999999999999999", "1.5"])
def test_an_invalid_limit_is_refused_with_a_sentence(client: ApiClient, limit: str) -> None:
    """Invalid input must neither cause a 500 nor be replaced by a default silently."""
    for path in ("/api/chats", f"/api/chats/{SENDER_PHONE}"):
        answer = client.get(path, limit=limit)

        assert answer.status_code == 400
        assert answer.json()["code"] == "bad_limit"
        assert answer.json()["success"] is False


def test_the_guides_view_equals_the_api(history: HistoryWriter, client: ApiClient) -> None:
    """Readers with SQL and readers over HTTP must see the same data."""
    history.store(message_fact(), name_fact("John"))

    (contact,) = client.get_data("/api/chats")["contacts"]

    assert history.rows(
        "SELECT phone_number, name, (extract(epoch FROM last_message_at) * 1000)::bigint, unread_count"
        " FROM whatsapp_contacts"
    ) == [(contact["phone_number"], contact["name"], BASE_TIME, contact["unread_count"])]


def test_who_was_answered_is_not_still_to_read(history: HistoryWriter, client: ApiClient) -> None:
    """An answer on the phone implies that earlier messages were read. The flags of messages do not change."""
    answer = message_fact("yes, till eight", at=60_000, direction="outgoing")
    history.store(message_fact("is it open?"), answer, message_fact("hello?", at=5_000), message_fact("ok", at=120_000))
    history.store(message_fact("a post", address="120363999999@newsletter"))

    phone, channel = client.get_data("/api/chats", unread=True)["contacts"]
    assert (phone["unread_count"], phone["unmarked_count"], channel["unread_count"]) == (1, 3, 1)
    history.store(message_fact("see you", at=180_000, direction="outgoing"))
    assert [chat["kind"] for chat in client.get_data("/api/chats", unread=True)["contacts"]] == ["newsletter"]
    assert {chat["unmarked_count"] for chat in client.get_data("/api/chats", unmarked=True)["contacts"]} == {1, 3}
    now = 2_000_000_000_000
    stats = client.get_data("/api/stats", since=now - 1_000, until=now)
    assert stats["unread"] == {"messages": 1, "chats": 1}
