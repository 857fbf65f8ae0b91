"""One body tells several updates of a message, as a gateway's batch does: the last word counts."""

import pytest

from store.model.facts import Ack, Edit, Fact, Reaction, Status
from tests.support import folding
from tests.support.folding import BASE_TIME, message_fact, told
from tests.support.generated_history import world
from tests.support.generated_history.database import HistoryDatabase

ASHA = world.ASHA


def statuses(*words: Status) -> list[Fact]:
    return [Ack("A", word, ASHA, BASE_TIME + i) for i, word in enumerate(words)]


@pytest.mark.parametrize("words", [("delivered", "read"), ("read", "delivered"), ("sent", "read", "delivered")])
def test_the_greatest_of_its_statuses_counts(history_database: HistoryDatabase, words: tuple[Status, ...]) -> None:
    sent = told(message_fact(direction="outgoing", status="sent"))

    folding.assert_order_independent(history_database, sent, told(*statuses(*words)))
    assert folding.visible_message(history_database)["status"] == "read"


@pytest.mark.parametrize("first", [0, 1])
def test_the_newest_of_its_edits_and_reactions_counts(history_database: HistoryDatabase, first: int) -> None:
    """Whatever their order in the body."""
    edits: list[Fact] = [Edit("A", ASHA, "incoming", None, f"edit {i}", BASE_TIME + i) for i in range(2)]
    reactions: list[Fact] = [
        Reaction("A", ASHA, "incoming", None, emoji, BASE_TIME + i) for i, emoji in enumerate("👍👎")
    ]
    batch = told(edits[first], edits[1 - first], reactions[first], reactions[1 - first])

    folding.assert_order_independent(history_database, told(message_fact()), batch)
    assert folding.visible_message(history_database)["message_text"] == "edit 1"
    assert [reaction["emoji"] for reaction in folding.shown_reactions(history_database)] == ["👎"]
