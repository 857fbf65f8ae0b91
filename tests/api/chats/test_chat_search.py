"""Tests the search for chats by name, number and the beginning of the last text."""

import pytest

from dev.embedded.child_process import wait_until
from tests.support.history.history_writer import (
    SENDER_LID,
    SENDER_PHONE,
    ApiClient,
    HistoryWriter,
    alias_fact,
    message_fact,
    name_fact,
)

MANY = """
    INSERT INTO chats (session_id, address, kind, last_timestamp, last_receive_order)
    SELECT 's1', '9198220' || lpad(i::text, 5, '0'), 'phone', 1760000000000 + i, 0 FROM generate_series(1, 1200) AS i
"""


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
    """In the search field above the list, people type what they see in the list."""
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
def test_a_name_is_found_despite_typing_errors_if_no_name_matches_exactly(
    history: HistoryWriter, client: ApiClient, q: str, names: list[str]
) -> None:
    """The response says that it is fuzzy, and filters still apply."""
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


def test_pages_of_a_search_list_each_chat_once(history: HistoryWriter, client: ApiClient) -> None:
    """The pages alternate between the next chats and the indexes, and must not repeat chats."""
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
