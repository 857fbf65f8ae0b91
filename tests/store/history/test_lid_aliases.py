"""One person, one chat: what makes a LID a phone, what undoes it, and what never becomes one."""

import pytest

from store.history import splits
from store.model.facts import Alias, Name
from tests.support import folding
from tests.support.folding import T0, message, told
from tests.support.generated_history import snapshot, world
from tests.support.generated_history.database import Memory

ASHA, RAVI, LID = world.ASHA, world.RAVI, world.LID_OF_ASHA
SESSION = folding.SESSION
UNDER_PHONE = told(message("A"))
UNDER_LID = told(message("B", address=LID))
EVIDENCE = told(Alias(LID, ASHA, T0))


def test_evidence_brings_together_what_came_before_it(memory: Memory) -> None:
    """Months of messages under the LID are in the phone's chat from the moment that somebody tells whose it is."""
    folding.agreed(memory, UNDER_PHONE, UNDER_LID, EVIDENCE)

    assert {address: chat["unread"] for address, chat in folding.chats(memory).items()} == {ASHA: 2}
    assert folding.only(memory, "B")["from_number"] == ASHA


def test_the_newest_evidence_wins(memory: Memory) -> None:
    """A number that changed hands, told in any order."""
    newer = told(Alias(LID, RAVI, T0 + 1))

    folding.agreed(memory, UNDER_PHONE, UNDER_LID, EVIDENCE, newer)
    assert folding.only(memory, "B")["shown_in"] == RAVI
    assert folding.only(memory, "B")["from_number"] == RAVI
    assert folding.chats(memory)[ASHA]["unread"] == 1


def test_evidence_of_one_second_is_told_apart_by_its_digest(memory: Memory) -> None:
    """Two phones in one second: either may be wrong, but every order finds the same."""
    evidence = [told(Alias(LID, phone, T0)) for phone in (ASHA, RAVI)]

    folding.agreed(memory, UNDER_LID, *evidence)
    winner = max(evidence, key=lambda told: told.event(0).digest)
    assert folding.only(memory, "B")["shown_in"] in str(winner.facts)


def test_phones_never_merge_with_phones(memory: Memory) -> None:
    """Two phones of one LID are two chats: a wrong merge would show one customer's words to another."""
    under_ravi = told(message("C", address=RAVI))

    folding.agreed(memory, UNDER_PHONE, under_ravi, told(Alias(LID, ASHA, T0)), told(Alias(LID, RAVI, T0 + 1)))
    assert set(folding.chats(memory)) == {ASHA, RAVI}
    assert folding.only(memory, "A")["shown_in"] == ASHA
    assert memory.connection.execute(
        "SELECT count(*) FROM chats WHERE merged_into IS NOT NULL AND kind <> 'lid'"
    ).fetchone() == (0,)


def test_a_lid_is_never_shown_as_a_phone_number(memory: Memory) -> None:
    """Somebody would call it: a stranger answers, or nobody."""
    outgoing = told(message("C", address=LID, direction="outgoing"))

    folding.agreed(memory, UNDER_LID, outgoing, told(Name(LID, "M.", 1, T0)))
    assert folding.only(memory, "B")["from_number"] is None
    assert folding.only(memory, "C")["to_number"] is None
    assert memory.connection.execute("SELECT address, kind, phone_number FROM whatsapp_contacts").fetchall() == [
        (LID, "lid", None)
    ]


@pytest.mark.parametrize(
    ("address", "kind"),
    [(world.GROUP, "group"), (world.NEWSLETTER, "newsletter"), (world.STATUSES, "broadcast"), (ASHA, "phone")],
)
def test_groups_newsletters_and_broadcasts_are_kinds_of_their_own(memory: Memory, address: str, kind: str) -> None:
    """None of them is a person with a number."""
    folding.agreed(memory, told(message(address=address)))

    assert folding.chats(memory)[address]["kind"] == kind
    assert memory.connection.execute("SELECT phone_number FROM whatsapp_contacts").fetchall() == [
        (ASHA if kind == "phone" else None,)
    ]


def test_one_message_under_both_addresses_is_shown_once_and_two_again_when_they_part(memory: Memory) -> None:
    """The LID turns out to be somebody else's: then each chat keeps its message."""
    under_lid = told(message("A", address=LID, text="The same"))

    folding.agreed(memory, UNDER_PHONE, under_lid, EVIDENCE)
    assert folding.only(memory)["shown_in"] == ASHA
    assert folding.chats(memory)[ASHA]["unread"] == 1

    folding.agreed(memory, UNDER_PHONE, under_lid, EVIDENCE, told(Alias(LID, RAVI, T0 + 1)))
    assert [row["shown_in"] for row in folding.messages(memory)] == [ASHA, RAVI]
    assert {address: chat["unread"] for address, chat in folding.chats(memory).items()} == {ASHA: 1, RAVI: 1}


def test_a_split_outranks_evidence_until_it_is_withdrawn(memory: Memory) -> None:
    """Whoever undid a merge must not have to undo it again with the next message."""
    folding.agreed(memory, UNDER_PHONE, UNDER_LID, EVIDENCE)
    merged = snapshot.read(memory.connection)

    assert splits.split(memory.connection, SESSION, LID)
    assert {address: chat["unread"] for address, chat in folding.chats(memory).items()} == {ASHA: 1, LID: 1}
    assert folding.only(memory, "B")["from_number"] is None

    folding.keep(memory.connection, iter([9]), [told(Alias(LID, ASHA, T0 + world.DAY))])
    assert folding.only(memory, "B")["shown_in"] == LID

    assert splits.withdraw(memory.connection, SESSION, LID)
    assert snapshot.read(memory.connection)["messages"] == merged["messages"]
    assert snapshot.read(memory.connection)["chats"] == merged["chats"]


def test_a_withdrawn_split_lets_the_evidence_of_meanwhile_count(memory: Memory) -> None:
    """Newer evidence came while it was split off: the LID goes where that says, not back."""
    folding.keep(memory.connection, iter([1]), [UNDER_LID, EVIDENCE])
    splits.split(memory.connection, SESSION, LID)
    folding.keep(memory.connection, iter([2]), [told(Alias(LID, RAVI, T0 + 1))])
    splits.withdraw(memory.connection, SESSION, LID)

    assert folding.only(memory, "B")["shown_in"] == RAVI
    assert folding.chats(memory)[RAVI]["unread"] == 1


def test_splitting_twice_and_withdrawing_nothing_say_so(memory: Memory) -> None:
    """A person who presses twice has not changed anything twice."""
    folding.keep(memory.connection, iter([1]), [UNDER_LID, EVIDENCE])

    assert not splits.withdraw(memory.connection, SESSION, LID)
    assert splits.split(memory.connection, SESSION, LID)
    assert not splits.split(memory.connection, SESSION, LID)
    assert splits.withdraw(memory.connection, SESSION, LID)
    assert splits.split(memory.connection, SESSION, LID)


def test_a_split_and_its_withdrawal_are_told_to_whoever_follows(memory: Memory) -> None:
    """A dashboard that is open must see the chat part, as it saw it merge."""
    folding.keep(memory.connection, iter([1]), [UNDER_PHONE, UNDER_LID, EVIDENCE])
    for decide, shown_in in ((splits.split, LID), (splits.withdraw, ASHA)):
        memory.connection.execute("DELETE FROM changes")
        decide(memory.connection, SESSION, LID)

        told = memory.connection.execute("SELECT h.kind, c.address FROM changes AS h JOIN chats AS c USING (chat_id)")
        assert ("merge", shown_in) in told.fetchall()


def test_only_a_lid_can_be_split_off(memory: Memory) -> None:
    """A phone is never merged, so there is nothing to undo."""
    with pytest.raises(splits.NotALidError):
        splits.split(memory.connection, SESSION, ASHA)
