"""The change feed, asked now and then."""

import psycopg

from store.model.facts import Ack, Delete, Edit, Reaction
from tests.support.history_writer import LID, PHONE, T0, Client, History, message, same_person


def now(client: Client) -> str:
    return client.data("/api/changes")["cursor"]


def test_every_visible_change_is_told_with_the_message_as_the_chat_shows_it(history: History, client: Client) -> None:
    """A dashboard applies what it is told, and must end up with what it would load."""
    history.tell(message(id="A", direction="outgoing"))
    since = now(client)
    history.tell(Ack("A", "read", PHONE, T0))
    history.tell(Edit("A", PHONE, "outgoing", None, "better", T0 + 1))
    history.tell(Reaction("A", PHONE, "incoming", None, "👍", T0 + 2))
    history.tell(message("new", 5, id="B"))
    client.post(f"/api/chats/{PHONE}/read")
    history.tell(message(at=6, address=LID))
    history.tell(same_person())
    history.tell(Delete("A", PHONE, "outgoing", None, T0 + 7))

    told = client.data("/api/changes", since=since)["changes"]

    assert {one["kind"] for one in told} >= {"status", "edit", "reaction", "message", "read", "merge", "delete"}
    shown = {one["message_id"]: one for one in client.data(f"/api/chats/{PHONE}")["messages"]}
    for one in told:
        assert one["address"] in {PHONE, LID}
        assert isinstance(one["rev"], int)
        if one["message"]:
            assert one["message"] == shown[one["message"]["message_id"]]
    assert told[-1]["chat"] == client.data("/api/chats")["contacts"][0]


def test_pages_of_changes_join_without_gap_or_repeat(history: History, client: Client) -> None:
    """The cursor of one page is the beginning of the next."""
    since = now(client)
    history.tell(*(message(at=index) for index in range(23)))
    ids: list[str] = []
    while True:
        page = client.data("/api/changes", since=since, limit=5)
        ids += [one["id"] for one in page["changes"]]
        since = page["cursor"]
        if not page["more"]:
            break

    assert len(ids) == len(set(ids)) == 23


def test_a_change_of_a_slow_transaction_is_never_skipped(history: History, client: Client) -> None:
    """It took its number first and commits last: a reader that passed it would miss it for ever."""
    history.tell(message())
    since = now(client)
    with psycopg.connect(history.database_url) as slow:
        slow.execute("INSERT INTO changes (kind, session_id) VALUES ('session', 's1')")
        history.tell(message("fast", 1))
        held_back = client.data("/api/changes", since=since)
    page = client.data("/api/changes", since=held_back["cursor"])

    assert held_back["changes"] == []
    assert [one["kind"] for one in page["changes"]] == ["session", "message"]


def test_a_cursor_from_before_a_restore_and_a_pruned_one_are_410(history: History, client: Client) -> None:
    """A silent gap would be believed: the reader is told to load everything again."""
    since = now(client)
    history.tell(message())
    history.run("UPDATE feed_floor SET xid = (SELECT max(xid) FROM changes), change_id = 1")
    pruned = client.get("/api/changes", since=since)
    history.run("UPDATE epoch SET epoch = gen_random_uuid()")
    restored = client.get("/api/changes", since=since)

    assert (pruned.status_code, pruned.json()["code"]) == (410, "changes_pruned")
    assert (restored.status_code, restored.json()["code"]) == (410, "epoch_changed")


def test_a_cursor_that_we_did_not_make_is_refused(client: Client) -> None:
    """Not every text is a place in the feed."""
    answer = client.get("/api/changes", since="17")

    assert (answer.status_code, answer.json()["code"]) == (400, "bad_cursor")
