"""An edit without a chat and without an editor changes the message with its id, if there is only one."""

from dataclasses import replace

import pytest

from store.model.facts import Direction, Edit
from tests.support.generated_history import world
from tests.support.generated_history.database import HistoryDatabase
from tests.support.history import folding
from tests.support.history.folding import BASE_TIME, event_of, message_fact


def edit(direction: Direction | None, address: str | None = None) -> Edit:
    return Edit("A", address, direction, None, "Hello again", BASE_TIME + 1)


@pytest.mark.parametrize("direction", ["incoming", None])
def test_the_text_is_replaced_before_and_after_the_message_comes(
    history_database: HistoryDatabase, direction: Direction | None
) -> None:
    """Evolution forwards the edit from the editor's perspective, without the chat."""
    folding.assert_order_independent(history_database, event_of(message_fact()), event_of(edit(direction)))

    assert folding.visible_message(history_database)["message_text"] == "Hello again"


@pytest.mark.parametrize(("address", "direction"), [(None, "outgoing"), (world.ASHA, "outgoing"), (world.RAVI, None)])
def test_an_edit_by_another_or_in_another_chat_changes_nothing(
    history_database: HistoryDatabase, address: str | None, direction: Direction | None
) -> None:
    """Whatever the event does contain must match."""
    folding.assert_order_independent(history_database, event_of(message_fact()), event_of(edit(direction, address)))

    assert folding.visible_message(history_database)["message_text"] == "Hello"


def test_an_edit_that_may_mean_two_messages_changes_neither(history_database: HistoryDatabase) -> None:
    """Anybody can send a message with the id of another message."""
    copied = replace(message_fact(), address=world.RAVI)

    folding.assert_order_independent(history_database, event_of(message_fact()), event_of(copied), event_of(edit(None)))
    texts = [row["message_text"] for row in folding.visible_messages(history_database)]
    assert texts == ["Hello", "Hello"]
