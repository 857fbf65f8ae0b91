"""News are the newest unread messages of chats, each delivered once."""

import dataclasses

from store.access import push_subscriptions
from store.access.push_subscriptions import MAX_OF_TOKEN, Subscription
from store.postgres import connections
from store.reading import news
from tests.support.history.history_writer import SENDER_PHONE, HistoryWriter, message_fact
from tests.support.history.recent_messages import message_now
from tests.support.waiting import wait_until

MARK = "of API_TOKEN"


def claim(history: HistoryWriter) -> list[str | None]:
    with connections.open(history.database_url, "test") as connection, connection.transaction():
        return [one.text for one in news.claim(connection) or []]


def test_a_message_is_news_once_although_it_changes_again(history: HistoryWriter) -> None:
    """For example, a second gateway on the same number may report it, too."""
    with connections.open(history.database_url, "test") as connection:
        news.begin(connection)
    history.store(message_now("older", age_ms=5000), message_now("newer"), message_now("of another", "919811000002"))
    first: list[str | None] = []
    # Changes are visible only if no older transaction runs on the server, including those of other tests.
    wait_until(lambda: first.extend(claim(history)) or len(first) == 2)
    history.execute("UPDATE push_position SET xid = '3', change_id = 0")

    assert sorted(filter(None, first)) == ["newer", "of another"]
    assert claim(history) == []


def test_messages_during_a_long_pause_are_skipped(history: HistoryWriter) -> None:
    history.store(message_now("meanwhile"))
    history.execute("UPDATE push_position SET looked_at = now() - interval '2 minutes'")

    assert claim(history) == []


def test_two_processes_never_read_the_same_news(history: HistoryWriter) -> None:
    with connections.open(history.database_url, "test") as connection:
        news.begin(connection)
    with connections.open(history.database_url, "first") as one, one.transaction():
        history.store(message_now("hello"))
        wait_until(lambda: len(news.claim(one) or []) == 1)
        with connections.open(history.database_url, "second") as other, other.transaction():
            assert news.claim(other) is None


def test_a_device_keeps_what_it_muted_and_makes_room_for_others(history: HistoryWriter) -> None:
    """Deleting a chat removes only that chat from what the devices have muted."""
    history.store(message_fact("hello"), message_fact("hello", address="919811000002"))
    (chat_id,) = history.rows("SELECT chat_id FROM chats WHERE address = %s", SENDER_PHONE)[0]
    device = Subscription("https://example.org/0", b"k" * 65, b"a" * 16, None, None, shows_text=False, has_sound=False)
    muted = [("s1", SENDER_PHONE), ("s2", SENDER_PHONE), ("s1", "919811000002")]
    with connections.open(history.database_url, "test") as connection:
        for number in range(MAX_OF_TOKEN + 5):
            push_subscriptions.save(
                connection,
                dataclasses.replace(device, endpoint=f"https://example.org/{number}"),
                signing_mark=MARK,
                muted=muted,
                visible=None,
                ends_at=None,
            )
        found = push_subscriptions.find_recipients(connection, MARK, [chat_id])
        push_subscriptions.pause(connection, "https://example.org/50", 60)
        rested = push_subscriptions.find_recipients(connection, MARK, [chat_id])
    history.execute("DELETE FROM changes")
    history.execute("DELETE FROM whatsapp_messages WHERE chat_id = %s", chat_id)
    history.execute("DELETE FROM chats WHERE chat_id = %s", chat_id)

    assert len(found) == MAX_OF_TOKEN
    assert {one.muted for one in found} == {frozenset({chat_id})}
    assert len(rested) == MAX_OF_TOKEN - 1
    assert len(history.rows("SELECT FROM push_mutes")) == MAX_OF_TOKEN
