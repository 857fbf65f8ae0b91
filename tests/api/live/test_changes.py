"""Tests the change feed, read in pages."""

import psycopg

from store.model.facts import Ack, Delete, Edit, Reaction
from tests.support.history.history_writer import (
    BASE_TIME,
    SENDER_LID,
    SENDER_PHONE,
    ApiClient,
    HistoryWriter,
    alias_fact,
    message_fact,
)


def test_every_visible_change_contains_the_message_as_the_chat_shows_it(
    history: HistoryWriter, client: ApiClient
) -> None:
    """A dashboard that applies the changes must reach the same state as one that loads the chat."""
    history.store(message_fact(id="A", direction="outgoing"))
    since = client.current_cursor()
    history.store(Ack("A", "read", SENDER_PHONE, BASE_TIME))
    history.store(Edit("A", SENDER_PHONE, "outgoing", None, "better", BASE_TIME + 1))
    history.store(Reaction("A", SENDER_PHONE, "incoming", None, "👍", BASE_TIME + 2))
    history.store(message_fact("new", 5, id="B"))
    client.post(f"/api/chats/{SENDER_PHONE}/read")
    history.store(message_fact(at=6, address=SENDER_LID))
    history.store(alias_fact())
    history.store(Delete("A", SENDER_PHONE, "outgoing", None, BASE_TIME + 7))

    told = client.get_data("/api/changes", since=since)["changes"]

    assert {one["kind"] for one in told} >= {"status", "edit", "reaction", "message", "read", "merge", "delete"}
    shown = {one["message_id"]: one for one in client.get_data(f"/api/chats/{SENDER_PHONE}")["messages"]}
    for one in told:
        assert one["address"] in {SENDER_PHONE, SENDER_LID}
        assert isinstance(one["rev"], int)
        if one["message"]:
            assert one["message"] == shown[one["message"]["message_id"]]
    assert told[-1]["chat"] == client.get_data("/api/chats")["contacts"][0]


def test_pages_of_changes_join_without_gap_or_repeat(history: HistoryWriter, client: ApiClient) -> None:
    """The cursor of one page is the start of the next."""
    since = client.current_cursor()
    history.store(*(message_fact(at=index) for index in range(23)))
    ids: list[str] = []
    while True:
        page = client.get_data("/api/changes", since=since, limit=5)
        ids += [one["id"] for one in page["changes"]]
        since = page["cursor"]
        if not page["more"]:
            break

    assert len(ids) == len(set(ids)) == 23


def test_a_change_of_a_slow_transaction_is_never_skipped(history: HistoryWriter, client: ApiClient) -> None:
    """It received its number first and commits last. A reader that passed its number would never see it."""
    history.store(message_fact())
    since = client.current_cursor()
    with psycopg.connect(history.database_url) as slow:
        slow.execute("INSERT INTO changes (kind, session_id) VALUES ('session', 's1')")
        history.store(message_fact("fast", 1))
        held_back = client.get_data("/api/changes", since=since)
    page = client.get_data("/api/changes", since=held_back["cursor"])

    assert held_back["changes"] == []
    assert [one["kind"] for one in page["changes"]] == ["session", "message"]


def test_a_cursor_from_before_a_restore_and_a_pruned_one_are_410(history: HistoryWriter, client: ApiClient) -> None:
    """A reader would not notice a gap, so it is required to load everything again."""
    since = client.current_cursor()
    history.store(message_fact())
    history.execute("UPDATE feed_floor SET xid = (SELECT max(xid) FROM changes), change_id = 1")
    pruned = client.get("/api/changes", since=since)
    history.execute("UPDATE feed_epoch SET epoch = gen_random_uuid()")
    restored = client.get("/api/changes", since=since)

    assert (pruned.status_code, pruned.json()["code"]) == (410, "changes_pruned")
    assert (restored.status_code, restored.json()["code"]) == (410, "epoch_changed")


def test_a_cursor_that_we_did_not_make_is_refused(client: ApiClient) -> None:
    """A text that is not a cursor is refused."""
    answer = client.get("/api/changes", since="17")

    assert (answer.status_code, answer.json()["code"]) == (400, "bad_cursor")
