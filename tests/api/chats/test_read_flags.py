"""Tests marking chats as read."""

import threading

import psycopg
import pytest

from tests.support.history.history_writer import (
    SENDER_LID,
    SENDER_PHONE,
    ApiClient,
    HistoryWriter,
    alias_fact,
    message_fact,
)


def unread(client: ApiClient) -> int:
    return client.get_data("/api/chats")["contacts"][0]["unread_count"]


def test_all_of_a_chat_is_read_as_the_guide_does_it(history: HistoryWriter, client: ApiClient) -> None:
    """The published guide uses a POST without a body, which is answered with success."""
    history.store(message_fact(), message_fact(at=1))
    before = unread(client)

    answer = client.http.post(f"{client.url}/api/chats/{SENDER_PHONE}/read", timeout=30)

    assert (before, answer.status_code, answer.json()["success"]) == (2, 200, True)
    assert unread(client) == 0


def test_reading_a_page_marks_nothing_as_read(history: HistoryWriter, client: ApiClient) -> None:
    """A preview, a bot or a second window does not mean that a person has read the messages."""
    history.store(message_fact())
    client.get_data(f"/api/chats/{SENDER_PHONE}")

    assert unread(client) == 1


def test_up_to_leaves_what_comes_later_unread(history: HistoryWriter, client: ApiClient) -> None:
    """A reader who stopped in the middle has not read the rest."""
    history.store(*(message_fact(at=index, id=f"M{index}") for index in range(5)))

    answer = client.post(f"/api/chats/{SENDER_PHONE}/read", {"up_to": "M2"})

    assert answer.json()["data"]["unread_count"] == 2
    assert unread(client) == 2


def test_a_message_that_came_after_the_page_stays_unread_whatever_its_time(
    history: HistoryWriter, client: ApiClient
) -> None:
    """A delayed message sorts above the messages that the reader saw.

    Only the snapshot of the page shows that it is unseen.
    """
    history.store(message_fact("first", 0, id="A"), message_fact("third", 2000, id="C"))
    page = client.get_data(f"/api/chats/{SENDER_PHONE}")
    history.store(message_fact("second, delayed", 1000, id="B"))

    answer = client.post(f"/api/chats/{SENDER_PHONE}/read", {"up_to": "C", "as_of": page["as_of"]})

    assert answer.json()["data"]["unread_count"] == 1
    assert [
        one["message_text"] for one in client.get_data(f"/api/chats/{SENDER_PHONE}")["messages"] if one["unread"]
    ] == ["second, delayed"]


def test_a_message_of_a_transaction_that_was_running_stays_unread(history: HistoryWriter, client: ApiClient) -> None:
    """Its id is smaller, but the page could not show it, because ids do not determine visibility."""
    history.store(message_fact("shown", 0, id="A"))
    with psycopg.connect(history.database_url) as slow:
        slow.execute("SELECT pg_current_xact_id()")
        history.store(message_fact("shown too", 1, id="B"))
        page = client.get_data(f"/api/chats/{SENDER_PHONE}")
        slow.execute(
            "INSERT INTO message_keys (session_number, message_id) SELECT session_number, 'SLOW' "
            "FROM sessions RETURNING key_id"
        )
        slow.execute(
            """
            INSERT INTO whatsapp_messages (message_id, session_id, direction, message_type, timestamp, key_id, chat_id,
                time_source, receive_order, content_state, content_rank, content_time, content_tie, unread)
            SELECT 'SLOW', session_id, direction, message_type, timestamp,
                (SELECT key_id FROM message_keys WHERE message_id = 'SLOW'), chat_id, time_source, receive_order,
                    content_state,
                content_rank, content_time, content_tie, true
            FROM whatsapp_messages
            WHERE message_id = 'A'
            """
        )
    client.post(f"/api/chats/{SENDER_PHONE}/read", {"as_of": page["as_of"]})

    assert history.rows("SELECT message_id FROM whatsapp_messages WHERE unread") == [("SLOW",)]


def test_marking_as_read_twice_changes_nothing_and_notifies_nobody(history: HistoryWriter, client: ApiClient) -> None:
    """A client that retries must not notify every dashboard."""
    history.store(message_fact())
    client.post(f"/api/chats/{SENDER_PHONE}/read")
    client.post(f"/api/chats/{SENDER_PHONE}/read")

    assert history.rows("SELECT count(*) FROM changes WHERE kind = 'read'") == [(1,)]


def test_a_chat_can_be_shown_as_unread_again(history: HistoryWriter, client: ApiClient) -> None:
    """The chat is shown as unread, as on a phone, but its messages stay read."""
    history.store(message_fact())
    client.post(f"/api/chats/{SENDER_PHONE}/read")

    answer = client.post(f"/api/chats/{SENDER_PHONE}/read", {"unread": True})

    (contact,) = client.get_data("/api/chats", unread="true")["contacts"]
    assert answer.json()["data"] == {"unread_count": 0, "marked_unread": True}
    assert (contact["marked_unread"], contact["unread_count"]) == (True, 0)


@pytest.mark.parametrize("address", [SENDER_PHONE, SENDER_LID])
def test_merged_addresses_are_read_together(history: HistoryWriter, client: ApiClient, address: str) -> None:
    """A person has one counter, whichever address is requested."""
    history.store(message_fact(), message_fact(at=1, address=SENDER_LID), alias_fact())
    before = unread(client)
    client.post(f"/api/chats/{address}/read")

    assert (before, unread(client)) == (2, 0)


@pytest.mark.long
def test_counters_stay_true_while_readers_and_writers_race(history: HistoryWriter, client: ApiClient) -> None:
    """A counter that is updated separately from the rows it counts would drift under concurrency."""
    history.store(message_fact())
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            assert client.post(f"/api/chats/{SENDER_PHONE}/read").status_code == 200

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for index in range(60):
        history.store(
            message_fact(at=index), message_fact(at=index, address=SENDER_LID), *([alias_fact()] if index == 30 else [])
        )
    stop.set()
    for reader in readers:
        reader.join()

    assert history.rows("SELECT unread FROM chats WHERE merged_into IS NULL") == history.rows(
        "SELECT count(*) FROM whatsapp_messages WHERE unread AND NOT is_duplicate"
    )


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b'"x"', b'{"up_to": 5}', b'{"up_to": ""}', b'{"as_of": 1}', b'{"as_of": "x"}', b'{"unread": 1}',
     b'{"up_to": "\\u0000"}', b'{"up_to": "\\ud800"}', b"\xff", b"[" * 60_000],
)  # fmt: skip
def test_an_invalid_body_is_refused(client: ApiClient, body: bytes) -> None:
    """Invalid input must never cause a 500."""
    answer = client.http.post(f"{client.url}/api/chats/{SENDER_PHONE}/read", data=body, timeout=30)

    assert answer.status_code == 400
    assert answer.json()["code"] in {"bad_json", "bad_parameter", "bad_cursor"}


def test_a_body_beyond_the_limit_is_413(client: ApiClient) -> None:
    """A large body must not fill the memory of the api."""
    answer = client.http.post(f"{client.url}/api/chats/{SENDER_PHONE}/read", data=b"x" * 100_000, timeout=30)

    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


def test_a_page_from_before_a_restore_marks_nothing(history: HistoryWriter, client: ApiClient) -> None:
    """After a restore, its snapshot refers to other transactions."""
    history.store(message_fact())
    page = client.get_data(f"/api/chats/{SENDER_PHONE}")
    history.execute("UPDATE feed_epoch SET epoch = gen_random_uuid()")

    answer = client.post(f"/api/chats/{SENDER_PHONE}/read", {"as_of": page["as_of"]})

    assert (answer.status_code, answer.json()["code"]) == (410, "epoch_changed")
    assert unread(client) == 1


def test_the_guides_update_marks_the_chat_as_read(history: HistoryWriter, client: ApiClient) -> None:
    """Readers paste this statement. If it changed only the number, the next message would restore the old number."""
    history.store(message_fact(), message_fact(at=1), alias_fact(), message_fact(at=2, address=SENDER_LID))
    cursor = client.current_cursor()
    history.execute(f"UPDATE whatsapp_contacts SET unread_count = 0 WHERE phone_number = '{SENDER_PHONE}'")
    after = unread(client)
    history.store(message_fact(at=3))

    assert after == 0
    assert [one["kind"] for one in client.get_data("/api/changes", since=cursor)["changes"]][:1] == ["read"]
    assert unread(client) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE whatsapp_contacts SET unread_count = 1",
        "UPDATE whatsapp_contacts SET unread_count = NULL",
        "UPDATE whatsapp_contacts SET unread_count = 0, name = 'another'",
        "UPDATE whatsapp_contacts SET name = 'another'",
        "DELETE FROM whatsapp_contacts",
        "INSERT INTO whatsapp_contacts (session_id, address, kind) VALUES ('s1', '919811000077', 'phone')",
    ],
)
def test_any_other_write_of_contacts_is_refused(history: HistoryWriter, client: ApiClient, statement: str) -> None:
    """They are computed, so the next event would overwrite a manual change."""
    history.store(message_fact())
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="computed from the messages"):
        history.execute(statement)

    assert unread(client) == 1
