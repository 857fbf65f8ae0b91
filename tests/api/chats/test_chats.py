"""The list of chats."""

import pytest

from dev.embedded.child_process import wait_until
from tests.support.history_writer import (
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
    """A LID or a group shown as a number would be called by somebody."""
    history.store(message_fact(address=SENDER_LID), message_fact(at=1, address="120363041234567890@g.us"))

    contacts = client.get_data("/api/chats")["contacts"]

    assert [(contact["phone_number"], contact["address"], contact["kind"]) for contact in contacts] == [
        (None, "120363041234567890@g.us", "group"),
        (None, SENDER_LID, "lid"),
    ]


def test_a_merged_lid_is_shown_once_as_its_phone(history: HistoryWriter, client: ApiClient) -> None:
    """One person in two rows is how other gateways lose half of a conversation."""
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
def test_the_preview_says_in_a_word_what_has_no_text(
    history: HistoryWriter, client: ApiClient, told: object, preview: str
) -> None:
    """An empty line in the list would look like a lost message."""
    history.store(told)  # pyright: ignore[reportArgumentType] - parametrize erases the type

    (contact,) = client.get_data("/api/chats")["contacts"]

    assert contact["last_message"]["preview"] == preview


def test_pages_lead_through_all_chats_once(history: HistoryWriter, client: ApiClient) -> None:
    """A cursor that skipped a chat would hide a customer."""
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


def test_after_tells_what_came_to_the_top_since(history: HistoryWriter, client: ApiClient) -> None:
    """Chats move up while somebody reads down: the other direction finds them again."""
    history.store(*(message_fact(at=index, address=f"91981100000{index}") for index in range(5)))
    first = client.get_data("/api/chats", limit=2)
    history.store(message_fact(at=100, address="919811000000"), message_fact(at=101, address="919811000009"))

    page = client.get_data("/api/chats", after=first["after"])

    assert [contact["address"] for contact in page["contacts"]] == ["919811000009", "919811000000"]


def test_filters_leave_out_the_rest(history: HistoryWriter, client: ApiClient) -> None:
    """Unread, waiting, kind and session are the questions that an inbox asks."""
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
    """Whoever writes again waits since the first message; nobody waits for an answer to a broadcast."""
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


@pytest.mark.parametrize(
    "q",
    [
        *("doe", "JOHN", "98110 00001", "+9198110", "00001", "see you", "50%_"),
        *("૯૮૧૧૦ ૦૦૦૦૧", "98110\u201100001", "\u202a+91\u00a098110\u00a000001\u202c"),
    ],
)
def test_a_chat_is_found_by_name_number_or_the_beginning_of_its_last_text(
    history: HistoryWriter, client: ApiClient, q: str
) -> None:
    """The box above the list: people type what they see in it."""
    history.store(
        message_fact("other", 1, address="919822222222"), message_fact("see you at 5"), name_fact("John Doe 50%_")
    )

    contacts = client.get_data("/api/chats", q=q)["contacts"]

    assert [contact["address"] for contact in contacts] == [SENDER_PHONE]


@pytest.mark.parametrize(
    ("q", "names"),
    [
        ("pirya", ["Priya Sharma"]),
        ("sharna priya", ["Priya Sharma"]),
        ("Mohmmed", ["Mohammed & Sons"]),
        ("rajsh", ["राजेश Rajesh"]),
        ("trader", ["Ravi Traders"]),
        ("ravi tarders", ["Ravi Traders"]),
        ("pan", ["Pandya"]),
        ("pna", []),
        ("qwertz", []),
    ],
)
def test_a_name_is_found_with_typing_errors_if_none_is_written_so(
    history: HistoryWriter, client: ApiClient, q: str, names: list[str]
) -> None:
    """The answer says that it is fuzzy, and filters leave out the rest."""
    known = ("Priya Sharma", "Pandya", "Ravi Traders", "राजेश Rajesh", "Mohammed & Sons")
    for index, name in enumerate(known):
        address = f"91981100001{index}"
        history.store(message_fact("x", index, address=address), name_fact(name, address))
    _wait_for_spelled_names(history)

    found = client.get_data("/api/chats", q=q)

    assert [chat["name"] for chat in found["contacts"]] == names
    assert found["fuzzy"] is (bool(names) and q not in {"trader", "pan"})
    assert client.get_data("/api/chats", q=q, kind="group")["contacts"] == []


def _wait_for_spelled_names(history: HistoryWriter) -> None:
    assert wait_until(lambda: history.rows("SELECT FROM chat_names WHERE text IS NULL") == [], 20)


@pytest.mark.parametrize("limit", ["0", "-1", "501", "1e9", "ten", "", "٣", "99999999999999999999", "1.5"])
def test_a_limit_that_is_none_is_refused_in_a_sentence(client: ApiClient, limit: str) -> None:
    """Never a 500 for what a client typed, and never a silent guess."""
    for path in ("/api/chats", f"/api/chats/{SENDER_PHONE}"):
        answer = client.get(path, limit=limit)

        assert answer.status_code == 400
        assert answer.json()["code"] == "bad_limit"
        assert answer.json()["success"] is False


def test_the_guides_view_equals_the_api(history: HistoryWriter, client: ApiClient) -> None:
    """Readers with SQL and readers over HTTP must not disagree."""
    history.store(message_fact(), name_fact("John"))

    (contact,) = client.get_data("/api/chats")["contacts"]

    assert history.rows(
        "SELECT phone_number, name, (extract(epoch FROM last_message_at) * 1000)::bigint, unread_count"
        " FROM whatsapp_contacts"
    ) == [(contact["phone_number"], contact["name"], BASE_TIME, contact["unread_count"])]


MANY = """
    INSERT INTO chats (session_id, address, kind, last_timestamp, last_receive_order)
    SELECT 's1', '9198220' || lpad(i::text, 5, '0'), 'phone', 1760000000000 + i, 0 FROM generate_series(1, 1200) AS i
"""


@pytest.mark.parametrize("q", ["jane", "811000001", "see you at", "नमस्ते", "ja", "HELLO again"])
@pytest.mark.parametrize("session", [None, "s1"])
def test_a_chat_is_found_however_many_are_newer(
    history: HistoryWriter, client: ApiClient, q: str, session: str | None
) -> None:
    """A search must also find a chat without recent messages."""
    history.store(
        message_fact("see you at nine"), name_fact("Jane Doe"), message_fact("नमस्ते जी", 5, address="919811000001")
    )
    history.store(message_fact("hello again", 6, address=SENDER_LID), alias_fact())
    history.execute(MANY)
    wanted = {"see you at": 0, "नमस्ते": 0}.get(q, 1)

    found = client.get_data("/api/chats", q=q, session_id=session)["contacts"]

    assert [contact["address"] for contact in found] == [SENDER_PHONE] * wanted


def test_pages_of_what_was_looked_for_lead_through_all_of_it_once(history: HistoryWriter, client: ApiClient) -> None:
    """The next chats and the indexes answer in turns, and must not answer twice."""
    history.store(*(message_fact("x", index, address=f"9198110000{index:02}") for index in range(30)))
    history.store(*(name_fact(f"Wanted {index}", f"9198110000{index:02}") for index in range(30)))
    history.execute(MANY)
    seen: list[str] = []
    cursor = None
    while cursor is not None or not seen:
        page = client.get_data("/api/chats", q="wanted", limit=7, cursor=cursor)
        seen += [contact["name"] for contact in page["contacts"]]
        cursor = page["cursor"]

    assert seen == [f"Wanted {index}" for index in range(29, -1, -1)]


def test_who_was_answered_is_not_still_to_read(history: HistoryWriter, client: ApiClient) -> None:
    """An answer on the phone implies that earlier messages were read; the flags of messages do not change."""
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
