"""If one body has several updates of a message, as a batch of a gateway may, the newest counts."""

import pytest

from store.model.facts import Ack, Delete, Direction, Edit, Fact, Reaction, Status
from tests.support.generated_history import world
from tests.support.generated_history.database import HistoryDatabase
from tests.support.history import folding
from tests.support.history.folding import BASE_TIME, event_of, message_fact

ASHA, RAVI, GROUP = world.ASHA, world.RAVI, world.GROUP


def statuses(*words: Status) -> list[Fact]:
    return [Ack("A", word, ASHA, BASE_TIME + i) for i, word in enumerate(words)]


@pytest.mark.parametrize("words", [("delivered", "read"), ("read", "delivered"), ("sent", "read", "delivered")])
def test_the_greatest_of_its_statuses_counts(history_database: HistoryDatabase, words: tuple[Status, ...]) -> None:
    sent = event_of(message_fact(direction="outgoing", status="sent"))

    folding.assert_order_independent(history_database, sent, event_of(*statuses(*words)))
    assert folding.visible_message(history_database)["status"] == "read"


@pytest.mark.parametrize("first", [0, 1])
def test_the_newest_of_its_edits_and_reactions_counts(history_database: HistoryDatabase, first: int) -> None:
    """Their order in the body does not matter."""
    edits: list[Fact] = [Edit("A", ASHA, "incoming", None, f"edit {i}", BASE_TIME + i) for i in range(2)]
    reactions: list[Fact] = [
        Reaction("A", ASHA, "incoming", None, emoji, BASE_TIME + i) for i, emoji in enumerate("👍👎")
    ]
    batch = event_of(edits[first], edits[1 - first], reactions[first], reactions[1 - first])

    folding.assert_order_independent(history_database, event_of(message_fact()), batch)
    assert folding.visible_message(history_database)["message_text"] == "edit 1"
    assert [reaction["emoji"] for reaction in folding.shown_reactions(history_database)] == ["👎"]


def test_the_reactions_of_all_its_people_count(history_database: HistoryDatabase) -> None:
    """The newest reaction of each person counts, and a repeated person displaces no other."""
    said = [(ASHA, "👍", 1), (RAVI, "👎", 2), (ASHA, "❤", 3), (None, "🎉", 4)]
    reactions: list[Fact] = [Reaction("A", GROUP, "incoming", who, emoji, BASE_TIME + at) for who, emoji, at in said]
    ours = Reaction("A", GROUP, "outgoing", None, "🙏", BASE_TIME)

    folding.assert_order_independent(
        history_database, event_of(message_fact(address=GROUP, sender=ASHA)), event_of(*reactions, ours)
    )
    assert [reaction["emoji"] for reaction in folding.shown_reactions(history_database)] == ["🙏", "👎", "❤", "🎉"]


def test_a_deletion_and_an_edit_of_several_people_reach_each_message(history_database: HistoryDatabase) -> None:
    """Two chats may have a message with the same id, such as copies of one broadcast."""
    messages = [message_fact(address=who) for who in (ASHA, RAVI)]
    edits: list[Fact] = [Edit("A", who, "incoming", None, f"edited by {who}", BASE_TIME) for who in (ASHA, RAVI)]
    deletions: list[Fact] = [Delete("A", who, "incoming", None, BASE_TIME) for who in (ASHA, RAVI)]

    folding.assert_order_independent(history_database, event_of(*messages), event_of(*edits))
    assert [row["message_text"] for row in folding.visible_messages(history_database)] == [
        f"edited by {who}" for who in (ASHA, RAVI)
    ]
    folding.assert_order_independent(history_database, event_of(*messages), event_of(*deletions))
    assert all(row["deleted_at"] for row in folding.visible_messages(history_database))


@pytest.mark.parametrize("direction", ["incoming", "outgoing"])
def test_a_deletion_that_does_not_name_its_author_is_that_of_the_message(
    history_database: HistoryDatabase, direction: Direction
) -> None:
    """In a chat with one person, WhatsApp lets nobody else delete it for both."""
    deletion = event_of(Delete("A", ASHA, None, None, BASE_TIME))

    folding.assert_order_independent(history_database, event_of(message_fact(direction=direction)), deletion)
    assert folding.visible_message(history_database)["deleted_at"]
