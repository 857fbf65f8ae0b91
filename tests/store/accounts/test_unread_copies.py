"""If two gateways report a message, its unread flag does not depend on the order of the copies."""

from dataclasses import replace

import pytest

from store.model.facts import Message
from tests.support.generated_history import world
from tests.support.generated_history.database import AccountDatabase
from tests.support.history import folding
from tests.support.history.folding import DeliveredEvent, event_of, message_fact

FIRST, SECOND = world.SESSIONS
GROUP = world.GROUP
TEXT = message_fact("A", GROUP, sender=world.ASHA)
NOTICE = replace(TEXT, text=None, type="system", sender=None)
UNDECRYPTED = replace(TEXT, text=None, type="unknown", content_state="undecrypted")
PAST = replace(TEXT, is_history=True)


def event(fact: Message, session: str) -> DeliveredEvent:
    return event_of(fact, session=session, seed=session)


@pytest.mark.parametrize(("late", "other"), [(FIRST, SECOND), (SECOND, FIRST)])
def test_a_copy_that_seemed_a_notice_does_not_mark_the_other_as_read(
    account_database: AccountDatabase, late: str, other: str
) -> None:
    """One gateway could not distinguish a message from a notice at first, but the other reported it correctly."""
    folding.assert_order_independent(
        account_database, event(NOTICE, late), event_of(TEXT, session=late), event(TEXT, other)
    )
    assert folding.visible_chats(account_database)[GROUP]["unread"] == 1


def test_a_notice_of_both_gateways_is_not_unread(account_database: AccountDatabase) -> None:
    folding.assert_order_independent(
        account_database, event(NOTICE, FIRST), event(UNDECRYPTED, SECOND), event_of(NOTICE, session=SECOND)
    )
    assert folding.visible_chats(account_database)[GROUP]["unread"] == 0


def test_a_copy_from_the_past_does_not_mark_the_other_as_read(account_database: AccountDatabase) -> None:
    """A backfill of one gateway may overtake the events that both gateways report as new."""
    folding.assert_order_independent(
        account_database, event(PAST, FIRST), event_of(TEXT, session=FIRST), event(TEXT, SECOND)
    )
    assert folding.visible_chats(account_database)[GROUP]["unread"] == 1


def test_a_message_that_was_read_stays_read_when_the_other_gateway_reports_it(
    account_database: AccountDatabase,
) -> None:
    """This also applies if the other gateway takes the message for a notice at first."""
    account_database.clear()
    numbers = iter(range(1, 9))
    folding.store_transactions(account_database.connection, numbers, [event(TEXT, FIRST)])
    account_database.connection.execute("UPDATE whatsapp_messages SET unread = false")

    folding.store_transactions(
        account_database.connection, numbers, [event(NOTICE, SECOND)], [event_of(TEXT, session=SECOND)]
    )

    assert [row["unread"] for row in folding.visible_messages(account_database)] == [False]
    assert folding.visible_chats(account_database)[GROUP]["unread"] == 0
