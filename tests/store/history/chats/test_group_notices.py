"""WhatsApp's notices are shown in groups, but count neither as unread nor as waiting."""

from store.model.facts import Message
from tests.support.generated_history import world
from tests.support.generated_history.database import HistoryDatabase
from tests.support.history import folding
from tests.support.history.folding import BASE_TIME, event_of, message_fact

GROUP = "120363041234567890@g.us"


def notice(message_id: str = "A", address: str = GROUP, time: int = BASE_TIME) -> Message:
    return message_fact(message_id, address, text=None, message_type="system", time=time)


def test_a_groups_notice_is_neither_unread_nor_waited_for(history_database: HistoryDatabase) -> None:
    """A person who joined a group did not ask anything."""
    folding.assert_order_independent(history_database, event_of(notice("A")), event_of(notice("B", time=BASE_TIME + 1)))

    chat = folding.visible_chats(history_database)[GROUP]
    assert (chat["unread"], chat["waiting_since"], chat["last_timestamp"]) == (0, None, BASE_TIME + 1)


def test_members_wait_from_their_own_messages_on(history_database: HistoryDatabase) -> None:
    """A notice before, between or after the questions changes nothing."""
    asked = event_of(message_fact("B", GROUP, time=BASE_TIME + 1))

    folding.assert_order_independent(
        history_database, event_of(notice("A")), asked, event_of(notice("C", time=BASE_TIME + 2))
    )
    chat = folding.visible_chats(history_database)[GROUP]
    assert (chat["unread"], chat["waiting_since"]) == (1, BASE_TIME + 1)


def test_a_message_that_looked_like_a_notice_becomes_unread(history_database: HistoryDatabase) -> None:
    """The gateway names neither. Only the form of the time distinguishes a notice from an undecrypted message."""
    undecrypted = message_fact("A", GROUP, text=None, message_type="unknown", state="undecrypted")

    folding.assert_order_independent(
        history_database, event_of(undecrypted), event_of(notice("A")), event_of(message_fact("A", GROUP))
    )
    assert folding.visible_message(history_database)["message_text"] == "Hello"
    assert folding.visible_chats(history_database)[GROUP]["unread"] == 1


def test_a_notice_that_looked_like_a_message_is_not_unread(history_database: HistoryDatabase) -> None:
    undecrypted = message_fact("A", GROUP, text=None, message_type="unknown", state="undecrypted")

    folding.assert_order_independent(history_database, event_of(undecrypted), event_of(notice("A")))
    chat = folding.visible_chats(history_database)[GROUP]
    assert (chat["unread"], chat["waiting_since"]) == (0, None)


def test_a_missed_call_is_unread_and_waited_for(history_database: HistoryDatabase) -> None:
    """A caller expects to be called back."""
    folding.assert_order_independent(history_database, event_of(notice("A", world.ASHA)))

    chat = folding.visible_chats(history_database)[world.ASHA]
    assert (chat["unread"], chat["waiting_since"]) == (1, BASE_TIME)
