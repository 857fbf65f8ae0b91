"""What a chat is called: by address, the greatest of (quality, newest time, digest)."""

from store.model.facts import Alias, Name
from tests.support import folding
from tests.support.folding import T0, message, told
from tests.support.generated_history import world
from tests.support.generated_history.database import Memory

ASHA, LID, GROUP = world.ASHA, world.LID_OF_ASHA, world.GROUP


def test_the_newest_push_name_wins(memory: Memory) -> None:
    """People change what they call themselves; an older message that comes late does not change it back."""
    names = [told(message(), Name(ASHA, name, 1, T0 + i)) for i, name in enumerate(("Old", "New"))]

    folding.agreed(memory, *names)
    assert folding.chats(memory)[ASHA]["name"] == "New"


def test_a_contacts_name_beats_any_push_name(memory: Memory) -> None:
    """The owner's address book knows better than the bearer, however old it is."""
    contact = told(Name(ASHA, "Asha Rao", 2, T0))
    push = told(message(), Name(ASHA, "asha ✨", 1, T0 + world.DAY))

    folding.agreed(memory, contact, push)
    assert folding.chats(memory)[ASHA]["name"] == "Asha Rao"


def test_names_of_the_same_second_are_told_apart_by_their_digest(memory: Memory) -> None:
    """SAK tells seconds: ties are common, and must not depend on who came first."""
    names = [told(message(), Name(ASHA, name, 1, T0)) for name in ("One", "Two", "Three")]

    folding.agreed(memory, *names)
    winner = max(names, key=lambda name: name.event(0).digest)
    assert folding.chats(memory)[ASHA]["name"] in str(winner.facts)


def test_a_name_without_a_time_is_as_new_as_its_newest_receipt(memory: Memory) -> None:
    """Its copies come whenever they come; only all of them together may decide."""
    undated = [told(Name(ASHA, "Undated", 1, None), received_at=T0 + i * world.HOUR) for i in (0, 2)]
    dated = told(message(), Name(ASHA, "Dated", 1, T0 + world.HOUR))

    folding.agreed(memory, *undated, dated)
    assert folding.chats(memory)[ASHA]["name"] == "Undated"


def test_in_a_group_the_push_name_names_the_speaker_and_not_the_group(memory: Memory) -> None:
    """Otherwise a group is called after whoever spoke last."""
    said = told(message(address=GROUP, sender=world.RAVI, sender_name="Ravi"), Name(world.RAVI, "Ravi", 1, T0))

    folding.agreed(memory, said, told(message("B", address=world.RAVI)))
    assert folding.chats(memory)[GROUP]["name"] is None
    assert folding.only(memory)["sender_name"] == "Ravi"
    assert folding.chats(memory)[world.RAVI]["name"] == "Ravi"


def test_a_chat_of_two_addresses_has_the_better_of_their_names(memory: Memory) -> None:
    """And the LID has its own back when they part."""
    events = [
        told(message(), Name(ASHA, "Phone", 1, T0)),
        told(message("B", address=LID), Name(LID, "Lid", 1, T0 + 1)),
    ]

    folding.agreed(memory, *events, told(Alias(LID, ASHA, T0)))
    assert folding.chats(memory)[ASHA]["name"] == "Lid"

    folding.agreed(memory, *events, told(Alias(LID, ASHA, T0)), told(Alias(LID, world.RAVI, T0 + 1)))
    assert {address: chat["name"] for address, chat in folding.chats(memory).items()} == {
        ASHA: "Phone",
        world.RAVI: "Lid",
    }
