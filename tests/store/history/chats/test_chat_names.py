"""Tests the choice of a chat's name. Per address, the greatest by (quality, newest time, digest) wins."""

from store.model.facts import DisplayName, LidAlias
from tests.support.generated_history import world
from tests.support.generated_history.database import HistoryDatabase
from tests.support.history import folding
from tests.support.history.folding import BASE_TIME, event_of, message_fact

ASHA, LID, GROUP = world.ASHA, world.LID_OF_ASHA, world.GROUP


def test_the_newest_push_name_wins(history_database: HistoryDatabase) -> None:
    """People change their push names. An older message that arrives late does not change the name back."""
    names = [
        event_of(message_fact(), DisplayName(ASHA, name, 1, BASE_TIME + i)) for i, name in enumerate(("Old", "New"))
    ]

    folding.assert_order_independent(history_database, *names)
    assert folding.visible_chats(history_database)[ASHA]["name"] == "New"


def test_a_contacts_name_beats_any_push_name(history_database: HistoryDatabase) -> None:
    """The name in the owner's address book is better than the person's own, even if it is older."""
    contact = event_of(DisplayName(ASHA, "Asha Rao", 2, BASE_TIME))
    day_later = BASE_TIME + world.DAY
    push = event_of(message_fact(), DisplayName(ASHA, "asha ✨", 1, day_later), received_at=day_later)

    folding.assert_order_independent(history_database, contact, push)
    assert folding.visible_chats(history_database)[ASHA]["name"] == "Asha Rao"


def test_names_of_the_same_second_are_told_apart_by_their_digest(history_database: HistoryDatabase) -> None:
    """SAK reports seconds, so ties are common and must not depend on the order of arrival."""
    names = [event_of(message_fact(), DisplayName(ASHA, name, 1, BASE_TIME)) for name in ("One", "Two", "Three")]

    folding.assert_order_independent(history_database, *names)
    winner = max(names, key=lambda name: name.event(0).digest)
    assert folding.visible_chats(history_database)[ASHA]["name"] in str(winner.facts)


def test_a_name_without_a_time_is_as_new_as_its_newest_receipt(history_database: HistoryDatabase) -> None:
    """Copies arrive in any order, and the name is computed from all of them."""
    undated = [event_of(DisplayName(ASHA, "Undated", 1, None), received_at=BASE_TIME + i * world.HOUR) for i in (0, 2)]
    hour_later = BASE_TIME + world.HOUR
    dated = event_of(message_fact(), DisplayName(ASHA, "Dated", 1, hour_later), received_at=hour_later)

    folding.assert_order_independent(history_database, *undated, dated)
    assert folding.visible_chats(history_database)[ASHA]["name"] == "Undated"


def test_in_a_group_the_push_name_names_the_speaker_and_not_the_group(history_database: HistoryDatabase) -> None:
    """Otherwise a group would be named after its last speaker."""
    said = event_of(
        message_fact(address=GROUP, sender=world.RAVI, sender_name="Ravi"),
        DisplayName(world.RAVI, "Ravi", 1, BASE_TIME),
    )

    folding.assert_order_independent(history_database, said, event_of(message_fact("B", address=world.RAVI)))
    assert folding.visible_chats(history_database)[GROUP]["name"] is None
    assert folding.visible_message(history_database)["sender_name"] == "Ravi"
    assert folding.visible_chats(history_database)[world.RAVI]["name"] == "Ravi"


def test_a_chat_of_two_addresses_has_the_better_of_their_names(history_database: HistoryDatabase) -> None:
    """If the addresses are separated again, the LID's chat has its own name again."""
    events = [
        event_of(message_fact(), DisplayName(ASHA, "Phone", 1, BASE_TIME)),
        event_of(message_fact("B", address=LID), DisplayName(LID, "Lid", 1, BASE_TIME + 1)),
    ]

    folding.assert_order_independent(history_database, *events, event_of(LidAlias(LID, ASHA, BASE_TIME)))
    assert folding.visible_chats(history_database)[ASHA]["name"] == "Lid"

    folding.assert_order_independent(
        history_database,
        *events,
        event_of(LidAlias(LID, ASHA, BASE_TIME)),
        event_of(LidAlias(LID, world.RAVI, BASE_TIME + 1)),
    )
    assert {address: chat["name"] for address, chat in folding.visible_chats(history_database).items()} == {
        ASHA: "Phone",
        world.RAVI: "Lid",
    }
