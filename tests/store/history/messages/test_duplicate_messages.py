"""Tests copies of a message within the batch that creates it."""

from collections.abc import Iterator

import pytest

from store.model.facts import LidAlias
from store.postgres import connections
from tests.support.generated_history import world
from tests.support.generated_history.database import HistoryDatabase
from tests.support.history import folding
from tests.support.history.folding import event_of, message_fact


@pytest.fixture
def memory(database_url: str) -> Iterator[HistoryDatabase]:
    with connections.open(database_url, "test") as connection:
        yield HistoryDatabase(connection)


def test_the_status_of_a_second_copy_counts_in_the_batch_that_makes_the_message(memory: HistoryDatabase) -> None:
    """`message.sent` came twice in one batch, the second time as delivered, and the message stayed at sent."""
    plain = event_of(message_fact(direction="outgoing"))
    delivered = event_of(message_fact(direction="outgoing", status="delivered"))

    folding.assert_order_independent(memory, plain, delivered)
    assert folding.visible_message(memory)["status"] == "delivered"


def test_a_message_that_comes_under_both_addresses_of_one_person_at_once_is_shown_once(memory: HistoryDatabase) -> None:
    """The first two copies are in one batch, and the LID was already known."""
    known = event_of(LidAlias(world.LID_OF_ASHA, world.ASHA, folding.BASE_TIME))
    under_phone = event_of(message_fact(address=world.ASHA))
    under_lid = event_of(message_fact(address=world.LID_OF_ASHA))

    folding.assert_order_independent(memory, known, under_phone, under_lid)
    assert folding.visible_message(memory)["shown_in"] == world.ASHA
    assert folding.visible_chats(memory)[world.ASHA]["unread"] == 1


def test_the_number_of_a_sender_in_a_group_comes_from_any_copy(memory: HistoryDatabase) -> None:
    """SAK does not name the sender, but another dialect does. `from_number` stayed empty if SAK's copy came first."""
    silent = event_of(message_fact(address=world.GROUP))
    telling = event_of(message_fact(address=world.GROUP, sender=world.RAVI, sender_name="Ravi"))

    folding.assert_order_independent(memory, silent, telling)
    assert folding.visible_message(memory)["from_number"] == world.RAVI
