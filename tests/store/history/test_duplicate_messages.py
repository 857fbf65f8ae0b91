"""Copies of a message that come together with it, in the batch that makes it."""

from collections.abc import Iterator

import pytest

from store.model.facts import Alias
from store.postgres import connections
from tests.support import folding
from tests.support.folding import message, told
from tests.support.generated_history import world
from tests.support.generated_history.database import Memory


@pytest.fixture
def memory(database_url: str) -> Iterator[Memory]:
    with connections.open(database_url, "test") as connection:
        yield Memory(connection)


def test_the_status_of_a_second_copy_counts_in_the_batch_that_makes_the_message(memory: Memory) -> None:
    """`message.sent` twice, the second time as delivered, in one batch: nobody looked at the message again, and it
    stayed at sent."""
    plain = told(message(direction="outgoing"))
    delivered = told(message(direction="outgoing", status="delivered"))

    folding.agreed(memory, plain, delivered)
    assert folding.only(memory)["status"] == "delivered"


def test_a_message_that_comes_under_both_addresses_of_one_person_at_once_is_shown_once(memory: Memory) -> None:
    """Its first two copies in one batch, when it was long known whose LID that is."""
    known = told(Alias(world.LID_OF_ASHA, world.ASHA, folding.T0))
    under_phone = told(message(address=world.ASHA))
    under_lid = told(message(address=world.LID_OF_ASHA))

    folding.agreed(memory, known, under_phone, under_lid)
    assert folding.only(memory)["shown_in"] == world.ASHA
    assert folding.chats(memory)[world.ASHA]["unread"] == 1


def test_a_group_messages_number_is_known_whichever_copy_tells_it(memory: Memory) -> None:
    """SAK does not tell who spoke, another dialect does: `from_number` stayed empty if the silent copy came first."""
    silent = told(message(address=world.GROUP))
    telling = told(message(address=world.GROUP, sender=world.RAVI, sender_name="Ravi"))

    folding.agreed(memory, silent, telling)
    assert folding.only(memory)["from_number"] == world.RAVI
