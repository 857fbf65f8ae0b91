"""Tests LIDs and phones: evidence that merges their chats, evidence that separates them, and what is no evidence."""

import pytest

from store.model.facts import DisplayName, LidAlias
from tests.support.generated_history import world
from tests.support.generated_history.database import HistoryDatabase
from tests.support.history import folding
from tests.support.history.folding import BASE_TIME, event_of, message_fact

ASHA, RAVI, LID = world.ASHA, world.RAVI, world.LID_OF_ASHA
SESSION = folding.SESSION
UNDER_PHONE = event_of(message_fact("A"))
UNDER_LID = event_of(message_fact("B", address=LID))
EVIDENCE = event_of(LidAlias(LID, ASHA, BASE_TIME))


def test_evidence_merges_chats_that_already_exist(history_database: HistoryDatabase) -> None:
    """Months of messages under the LID move into the phone's chat when an event shows that they belong together."""
    folding.assert_order_independent(history_database, UNDER_PHONE, UNDER_LID, EVIDENCE)

    assert {address: chat["unread"] for address, chat in folding.visible_chats(history_database).items()} == {ASHA: 2}
    assert folding.visible_message(history_database, "B")["from_number"] == ASHA


def test_the_newest_evidence_wins(history_database: HistoryDatabase) -> None:
    """A number may change hands, and the events may arrive in any order."""
    newer = event_of(LidAlias(LID, RAVI, BASE_TIME + 1))

    folding.assert_order_independent(history_database, UNDER_PHONE, UNDER_LID, EVIDENCE, newer)
    assert folding.visible_message(history_database, "B")["shown_in"] == RAVI
    assert folding.visible_message(history_database, "B")["from_number"] == RAVI
    assert folding.visible_chats(history_database)[ASHA]["unread"] == 1


def test_evidence_of_one_second_is_told_apart_by_its_digest(history_database: HistoryDatabase) -> None:
    """If one second has two phones, either may be wrong, but every order has the same result."""
    evidence = [event_of(LidAlias(LID, phone, BASE_TIME)) for phone in (ASHA, RAVI)]

    folding.assert_order_independent(history_database, UNDER_LID, *evidence)
    winner = max(evidence, key=lambda delivered: delivered.event(0).digest)
    assert folding.visible_message(history_database, "B")["shown_in"] in str(winner.facts)


def test_phones_never_merge_with_phones(history_database: HistoryDatabase) -> None:
    """Two phones of one LID are two chats, because a wrong merge would show one customer's words to another."""
    under_ravi = event_of(message_fact("C", address=RAVI))

    folding.assert_order_independent(
        history_database,
        UNDER_PHONE,
        under_ravi,
        event_of(LidAlias(LID, ASHA, BASE_TIME)),
        event_of(LidAlias(LID, RAVI, BASE_TIME + 1)),
    )
    assert set(folding.visible_chats(history_database)) == {ASHA, RAVI}
    assert folding.visible_message(history_database, "A")["shown_in"] == ASHA
    assert history_database.connection.execute(
        "SELECT count(*) FROM chats WHERE merged_into IS NOT NULL AND kind <> 'lid'"
    ).fetchone() == (0,)


def test_a_lid_is_never_shown_as_a_phone_number(history_database: HistoryDatabase) -> None:
    """Somebody would call the number and reach a stranger or nobody."""
    outgoing = event_of(message_fact("C", address=LID, direction="outgoing"))

    folding.assert_order_independent(
        history_database, UNDER_LID, outgoing, event_of(DisplayName(LID, "M.", 1, BASE_TIME))
    )
    assert folding.visible_message(history_database, "B")["from_number"] is None
    assert folding.visible_message(history_database, "C")["to_number"] is None
    assert history_database.connection.execute(
        "SELECT address, kind, phone_number FROM whatsapp_contacts"
    ).fetchall() == [(LID, "lid", None)]


@pytest.mark.parametrize(
    ("address", "kind"),
    [(world.GROUP, "group"), (world.NEWSLETTER, "newsletter"), (world.STATUS_BROADCAST, "broadcast"), (ASHA, "phone")],
)
def test_groups_newsletters_and_broadcasts_are_kinds_of_their_own(
    history_database: HistoryDatabase, address: str, kind: str
) -> None:
    """None of them is a person with a number."""
    folding.assert_order_independent(history_database, event_of(message_fact(address=address)))

    assert folding.visible_chats(history_database)[address]["kind"] == kind
    assert history_database.connection.execute("SELECT phone_number FROM whatsapp_contacts").fetchall() == [
        (ASHA if kind == "phone" else None,)
    ]


def test_a_message_under_both_addresses_is_shown_once_until_they_are_separated(
    history_database: HistoryDatabase,
) -> None:
    """If the LID turns out to belong to another person, each chat keeps its message."""
    under_lid = event_of(message_fact("A", address=LID, text="The same"))

    folding.assert_order_independent(history_database, UNDER_PHONE, under_lid, EVIDENCE)
    assert folding.visible_message(history_database)["shown_in"] == ASHA
    assert folding.visible_chats(history_database)[ASHA]["unread"] == 1

    folding.assert_order_independent(
        history_database, UNDER_PHONE, under_lid, EVIDENCE, event_of(LidAlias(LID, RAVI, BASE_TIME + 1))
    )
    assert [row["shown_in"] for row in folding.visible_messages(history_database)] == [ASHA, RAVI]
    assert {address: chat["unread"] for address, chat in folding.visible_chats(history_database).items()} == {
        ASHA: 1,
        RAVI: 1,
    }
