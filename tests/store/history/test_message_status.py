"""Status is a total order and only grows; an ack reaches only the message that it can mean."""

from itertools import combinations
from typing import get_args

import pytest

from store.model.facts import Ack, Alias, Status
from tests.support import folding
from tests.support.folding import T0, message, told
from tests.support.generated_history import world
from tests.support.generated_history.database import Memory

ORDER = ("pending", "sent", "failed", "delivered", "read", "played")
OURS = message(direction="outgoing", status="pending")


def test_the_order_names_every_status() -> None:
    """A status that the order forgets would win or lose by accident."""
    assert set(ORDER) == set(get_args(Status))


@pytest.mark.parametrize(("lower", "higher"), list(combinations(ORDER, 2)))
def test_of_two_acks_the_higher_stays(memory: Memory, lower: Status, higher: Status) -> None:
    """Acks overtake each other, also when the later one is the lower: a message that was read stays read."""
    folding.agreed(
        memory, told(OURS), told(Ack("A", higher, world.ASHA, T0)), told(Ack("A", lower, world.ASHA, T0 + 1))
    )

    assert folding.only(memory)["status"] == higher


def test_an_ack_without_a_chat_counts_where_one_message_has_the_id(memory: Memory) -> None:
    """WhatsApp's own acks name only the id."""
    folding.agreed(memory, told(OURS), told(Ack("A", "read", None, T0)))

    assert folding.only(memory)["status"] == "read"


def test_an_ack_without_a_chat_counts_nowhere_when_two_messages_have_the_id(memory: Memory) -> None:
    """Ids are chosen by senders: it may mean either, and a wrong tick is worse than a missing one."""
    elsewhere = message(address=world.RAVI, direction="outgoing", status="pending")

    folding.agreed(memory, told(OURS), told(elsewhere), told(Ack("A", "read", None, T0)))
    assert [row["status"] for row in folding.messages(memory)] == ["pending", "pending"]


def test_an_ack_without_a_chat_never_leaves_its_session(memory: Memory) -> None:
    """Two sessions, two phones: the same id in both is unique in each."""
    other = told(OURS, session=world.SESSIONS[1])

    folding.agreed(memory, told(OURS), other, told(Ack("A", "read", None, T0)))
    assert [row["status"] for row in folding.messages(memory)] == ["read", "pending"]


def test_an_ack_without_a_chat_counts_once_two_addresses_prove_to_be_one_chat(memory: Memory) -> None:
    """Then its two messages are one."""
    under_lid = message(address=world.LID_OF_ASHA, direction="outgoing", status="pending")
    evidence = told(Alias(world.LID_OF_ASHA, world.ASHA, T0))

    folding.agreed(memory, told(OURS), told(under_lid), told(Ack("A", "read", None, T0)), evidence)
    assert folding.only(memory)["status"] == "read"


def test_an_ack_reaches_only_the_chat_that_it_names(memory: Memory) -> None:
    """The same id in another chat is another message."""
    elsewhere = message(address=world.RAVI, direction="outgoing", status="pending")

    folding.agreed(memory, told(OURS), told(elsewhere), told(Ack("A", "read", world.ASHA, T0)))
    assert {row["shown_in"]: row["status"] for row in folding.messages(memory)} == {
        world.ASHA: "read",
        world.RAVI: "pending",
    }


def test_an_ack_under_the_lid_reaches_the_message_under_the_phone(memory: Memory) -> None:
    """Once they are known to be one person, however late that is."""
    ack = told(Ack("A", "read", world.LID_OF_ASHA, T0))
    evidence = told(Alias(world.LID_OF_ASHA, world.ASHA, T0))

    folding.agreed(memory, told(OURS), ack, evidence)
    assert folding.only(memory)["status"] == "read"


def test_our_own_copy_of_a_sent_message_is_the_same_row(memory: Memory) -> None:
    """What a send's answer tells and what `message.sent` tells are one message, with the greater status."""
    folding.agreed(memory, told(OURS), told(message(direction="outgoing", status="delivered")))

    assert folding.only(memory)["status"] == "delivered"
