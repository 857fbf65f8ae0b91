"""A message's status only increases, and an acknowledgement applies only to the message that it can mean."""

from itertools import combinations, count
from typing import get_args

import pytest

from store.model.facts import Ack, LidAlias, Status
from tests.support.generated_history import world
from tests.support.generated_history.database import HistoryDatabase
from tests.support.history import folding
from tests.support.history.folding import BASE_TIME, event_of, message_fact

ORDER = ("pending", "sent", "failed", "delivered", "read", "played")
OURS = message_fact(direction="outgoing", status="pending")


def test_the_order_names_every_status() -> None:
    """A status that is missing in the order would win or lose by accident."""
    assert set(ORDER) == set(get_args(Status))


@pytest.mark.parametrize(("lower", "higher"), list(combinations(ORDER, 2)))
def test_of_two_acks_the_higher_stays(history_database: HistoryDatabase, lower: Status, higher: Status) -> None:
    """Acks may arrive in any order, and a message that was read stays read."""
    folding.assert_order_independent(
        history_database,
        event_of(OURS),
        event_of(Ack("A", higher, world.ASHA, BASE_TIME)),
        event_of(Ack("A", lower, world.ASHA, BASE_TIME + 1)),
    )

    assert folding.visible_message(history_database)["status"] == higher


def test_an_ack_without_a_chat_counts_where_one_message_has_the_id(history_database: HistoryDatabase) -> None:
    """WhatsApp's own acks contain only the id."""
    folding.assert_order_independent(history_database, event_of(OURS), event_of(Ack("A", "read", None, BASE_TIME)))

    assert folding.visible_message(history_database)["status"] == "read"


def test_an_ack_without_a_chat_counts_nowhere_when_two_messages_have_the_id(history_database: HistoryDatabase) -> None:
    """Senders choose ids, so the ack may mean either message, and a wrong tick is worse than a missing one."""
    elsewhere = message_fact(address=world.RAVI, direction="outgoing", status="pending")

    folding.assert_order_independent(
        history_database, event_of(OURS), event_of(elsewhere), event_of(Ack("A", "read", None, BASE_TIME))
    )
    assert [row["status"] for row in folding.visible_messages(history_database)] == ["pending", "pending"]


def test_an_ack_without_a_chat_never_leaves_its_session(history_database: HistoryDatabase) -> None:
    """The same id in two sessions is unique in each of them."""
    other = event_of(OURS, session=world.SESSIONS[1])

    folding.assert_order_independent(
        history_database, event_of(OURS), other, event_of(Ack("A", "read", None, BASE_TIME))
    )
    assert [row["status"] for row in folding.visible_messages(history_database)] == ["read", "pending"]


def test_an_ack_without_a_chat_counts_once_two_addresses_prove_to_be_one_chat(
    history_database: HistoryDatabase,
) -> None:
    """Then the two messages become one."""
    under_lid = message_fact(address=world.LID_OF_ASHA, direction="outgoing", status="pending")
    evidence = event_of(LidAlias(world.LID_OF_ASHA, world.ASHA, BASE_TIME))

    folding.assert_order_independent(
        history_database, event_of(OURS), event_of(under_lid), event_of(Ack("A", "read", None, BASE_TIME)), evidence
    )
    assert folding.visible_message(history_database)["status"] == "read"


def test_an_ack_reaches_only_the_chat_that_it_names(history_database: HistoryDatabase) -> None:
    """The same id in another chat is another message."""
    elsewhere = message_fact(address=world.RAVI, direction="outgoing", status="pending")

    folding.assert_order_independent(
        history_database, event_of(OURS), event_of(elsewhere), event_of(Ack("A", "read", world.ASHA, BASE_TIME))
    )
    assert {row["shown_in"]: row["status"] for row in folding.visible_messages(history_database)} == {
        world.ASHA: "read",
        world.RAVI: "pending",
    }


def test_an_ack_under_the_lid_reaches_the_message_under_the_phone(history_database: HistoryDatabase) -> None:
    """This applies as soon as both are known to be one person, however late that is."""
    ack = event_of(Ack("A", "read", world.LID_OF_ASHA, BASE_TIME))
    evidence = event_of(LidAlias(world.LID_OF_ASHA, world.ASHA, BASE_TIME))

    folding.assert_order_independent(history_database, event_of(OURS), ack, evidence)
    assert folding.visible_message(history_database)["status"] == "read"


def test_our_own_copy_of_a_sent_message_is_the_same_row(history_database: HistoryDatabase) -> None:
    """The answer to a send and its `message.sent` event result in one message with the greater status."""
    folding.assert_order_independent(
        history_database, event_of(OURS), event_of(message_fact(direction="outgoing", status="delivered"))
    )

    assert folding.visible_message(history_database)["status"] == "delivered"


def test_an_ack_changes_no_index_of_messages(history_database: HistoryDatabase) -> None:
    """Otherwise each of two or three acks per message writes an entry into every index (HOT updates write none)."""
    history_database.clear()
    connection, numbers = history_database.connection, count(1)
    folding.store_transactions(connection, numbers, [event_of(OURS)])

    with connection.transaction():
        folding.store_transactions(connection, numbers, [event_of(Ack("A", "read", None, BASE_TIME))])
        updated = connection.execute(
            """
            SELECT pg_stat_get_xact_tuples_updated(t.oid), pg_stat_get_xact_tuples_hot_updated(t.oid)
            FROM pg_class AS t
            WHERE t.oid = 'whatsapp_messages'::regclass
            """
        ).fetchone()

    assert updated == (1, 1)


@pytest.mark.parametrize(("statuses", "waiting_since"), [(["failed"], BASE_TIME), (["failed", "delivered"], None)])
def test_an_answer_that_failed_leaves_the_chat_waiting(
    history_database: HistoryDatabase, statuses: list[Status], waiting_since: int | None
) -> None:
    """An ack after the failure proves that the answer was sent after all."""
    question = message_fact("Q", time=BASE_TIME)
    answer = message_fact(direction="outgoing", status="pending", time=BASE_TIME + 5_000)
    acks = [event_of(Ack("A", status, world.ASHA, BASE_TIME + 6_000 + n)) for n, status in enumerate(statuses)]

    folding.assert_order_independent(history_database, event_of(question), event_of(answer), *acks)

    assert folding.visible_chats(history_database)[world.ASHA]["waiting_since"] == waiting_since
