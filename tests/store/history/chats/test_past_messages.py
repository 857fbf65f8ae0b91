"""Messages from a gateway's own history are not unread, and do not change the newest message of a chat."""

from dataclasses import replace

from store.model.facts import LidAlias, Message
from tests.support.generated_history import world
from tests.support.generated_history.database import HistoryDatabase
from tests.support.history import folding
from tests.support.history.folding import BASE_TIME, event_of, message_fact

LID = "200000000000011@lid"


def past(message_id: str = "A", address: str = world.ASHA, time: int = BASE_TIME) -> Message:
    return replace(message_fact(message_id, address, time=time), is_history=True)


def test_a_message_of_the_past_is_not_unread(history_database: HistoryDatabase) -> None:
    """The first backfill may bring years of messages, which nobody could read."""
    folding.assert_order_independent(history_database, event_of(past("A")), event_of(past("B", time=BASE_TIME + 1)))

    chat = folding.visible_chats(history_database)[world.ASHA]
    assert (chat["unread"], chat["last_timestamp"]) == (0, BASE_TIME + 1)


def test_the_past_never_moves_a_chat_back(history_database: HistoryDatabase) -> None:
    """The list of chats is sorted by the newest message, whenever older ones arrive."""
    new = event_of(message_fact("B", time=BASE_TIME + 1))

    folding.assert_order_independent(history_database, event_of(past("A")), new)
    chat = folding.visible_chats(history_database)[world.ASHA]
    assert (chat["unread"], chat["last_timestamp"]) == (1, BASE_TIME + 1)


def test_a_message_that_is_also_reported_as_new_is_unread(history_database: HistoryDatabase) -> None:
    """A backfill may overtake the event of a message that has just arrived."""
    folding.assert_order_independent(history_database, event_of(past("A"), seed="1"), event_of(message_fact("A")))

    assert folding.visible_chats(history_database)[world.ASHA]["unread"] == 1


def test_a_copy_from_the_past_under_the_other_address_does_not_mark_as_read(
    history_database: HistoryDatabase,
) -> None:
    """The gateway's history names the LID and its event the phone, so the two rows are one message."""
    alias = LidAlias(LID, world.ASHA, BASE_TIME)

    folding.assert_order_independent(history_database, event_of(past("A", LID), alias), event_of(message_fact("A")))
    assert folding.visible_chats(history_database)[world.ASHA]["unread"] == 1
