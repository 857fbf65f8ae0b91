"""Senders choose message ids. An id that a stranger copies affects nothing outside the stranger's chat."""

import pytest

from store.model.facts import Ack, Delete, Edit, Fact, Reaction
from tests.support.generated_history import world
from tests.support.generated_history.database import HistoryDatabase
from tests.support.history import folding
from tests.support.history.folding import BASE_TIME, event_of, message_fact

ASHA, RAVI = world.ASHA, world.RAVI

WRITINGS: dict[str, Fact] = {
    "message": message_fact(address=RAVI, text="Mine now", time=BASE_TIME - 1),
    "edit": Edit("A", RAVI, "incoming", None, "Mine now", BASE_TIME + 1),
    "delete": Delete("A", RAVI, "incoming", None, BASE_TIME + 1),
    "reaction": Reaction("A", RAVI, "incoming", None, "👎", BASE_TIME + 1),
    "ack": Ack("A", "played", RAVI, BASE_TIME + 1),
}


@pytest.mark.parametrize("writing", WRITINGS)
def test_updates_of_another_chat_with_the_same_id_change_nothing(
    history_database: HistoryDatabase, writing: str
) -> None:
    """Every member of a group knows its message ids, and could otherwise change a private chat."""
    folding.assert_order_independent(history_database, event_of(message_fact()))
    alone = _shown_to_asha(history_database)

    folding.assert_order_independent(history_database, event_of(message_fact()), event_of(WRITINGS[writing]))
    assert _shown_to_asha(history_database) == alone


def test_the_same_id_in_both_directions_is_two_messages(history_database: HistoryDatabase) -> None:
    """If the other side copies an id of ours, our message stays unchanged."""
    ours, theirs = (
        message_fact(direction="outgoing", text="Ours", status="sent"),
        message_fact(text="Theirs", time=BASE_TIME - 1),
    )

    folding.assert_order_independent(history_database, event_of(ours), event_of(theirs))
    assert {row["direction"]: row["message_text"] for row in folding.visible_messages(history_database)} == {
        "outgoing": "Ours",
        "incoming": "Theirs",
    }


def test_the_same_id_in_another_session_is_another_message(history_database: HistoryDatabase) -> None:
    """Sessions are the phones of different people."""
    elsewhere = event_of(message_fact(text="Elsewhere"), session=world.SESSIONS[1])

    folding.assert_order_independent(history_database, event_of(message_fact()), elsewhere)
    assert [row["message_text"] for row in folding.visible_messages(history_database)] == ["Hello", "Elsewhere"]


def _shown_to_asha(memory: HistoryDatabase) -> object:
    """Return Asha's chat and her message with all its updates."""
    varying = {
        "id",
        "key_id",
        "chat_id",
        "canonical_chat_id",
        "created_at",
        "created_xid",
        "rev",
        "last_id",
        "receive_order",
        "last_receive_order",
    }
    chat = {name: value for name, value in folding.visible_chats(memory)[ASHA].items() if name not in varying}
    (row,) = (row for row in folding.visible_messages(memory) if row["shown_in"] == ASHA)
    reactions = memory.connection.execute(
        "SELECT m.kind, m.text FROM message_updates AS m JOIN chats AS c USING (chat_id) WHERE c.address = %s", [ASHA]
    ).fetchall()
    return chat, {name: value for name, value in row.items() if name not in varying}, reactions
