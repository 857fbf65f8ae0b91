"""Tests the times of messages: which clock is believed, and how messages are ordered."""

import pytest

from store.model.facts import Ack, Edit
from tests.support.generated_history import world
from tests.support.generated_history.database import HistoryDatabase
from tests.support.history import folding
from tests.support.history.folding import BASE_TIME, event_of, message_fact

ASHA, RAVI = world.ASHA, world.RAVI
FIRST_DAY = 1_230_768_000_000
YEAR_3000 = 32_503_680_000_000
AHEAD = 10 * 60_000


@pytest.mark.parametrize(
    ("claimed", "effective", "source"),
    [
        (BASE_TIME - world.DAY, BASE_TIME - world.DAY, "message"),
        (FIRST_DAY, FIRST_DAY, "message"),
        (FIRST_DAY - 1, BASE_TIME, "receipt"),
        (5_000, BASE_TIME, "receipt"),
        (None, BASE_TIME, "receipt"),
        (BASE_TIME + AHEAD, BASE_TIME + AHEAD, "message"),
        (BASE_TIME + AHEAD + 1, BASE_TIME, "receipt"),
        (BASE_TIME + int(5.5 * world.HOUR), BASE_TIME, "receipt"),
        (YEAR_3000, BASE_TIME, "receipt"),
    ],
)
def test_a_time_counts_between_2009_and_ten_minutes_after_receipt(
    history_database: HistoryDatabase, claimed: int | None, effective: int, source: str
) -> None:
    """Outside of these limits, the sender's clock or time zone is wrong, and only the time of receipt is reliable."""
    folding.assert_order_independent(history_database, event_of(message_fact(time=claimed)))

    row = folding.visible_message(history_database)
    assert (row["timestamp"], row["time_source"]) == (effective, source)


def test_over_copies_the_least_time_counts(history_database: HistoryDatabase) -> None:
    """A message without a time is as old as its first receipt, whichever copy is stored first."""
    copies = [event_of(message_fact(time=None), received_at=BASE_TIME + i * world.HOUR) for i in range(3)]

    folding.assert_order_independent(history_database, *copies)
    assert folding.visible_message(history_database)["timestamp"] == BASE_TIME


def test_a_time_that_is_credible_only_for_a_later_copy_does_not_count(history_database: HistoryDatabase) -> None:
    """The message is received twice, three days apart. According to the first receipt, its clock was wrong."""
    copies = [
        event_of(message_fact(time=BASE_TIME + 2 * world.DAY), received_at=BASE_TIME + i * world.DAY) for i in (0, 3)
    ]

    folding.assert_order_independent(history_database, *copies)
    row = folding.visible_message(history_database)
    assert (row["timestamp"], row["time_source"]) == (BASE_TIME, "receipt")


def test_updates_are_dated_like_messages(history_database: HistoryDatabase) -> None:
    """An edit from the year 3000 must not win over every later one."""
    broken = event_of(Edit("A", ASHA, "incoming", None, "From 3000", YEAR_3000), received_at=BASE_TIME + 1)
    sound = event_of(Edit("A", ASHA, "incoming", None, "Sound", BASE_TIME + 2), received_at=BASE_TIME + 2)

    folding.assert_order_independent(history_database, event_of(message_fact()), broken, sound)
    assert folding.visible_message(history_database)["message_text"] == "Sound"


def test_an_update_without_a_time_is_as_old_as_its_first_receipt(history_database: HistoryDatabase) -> None:
    """A copy that arrives late does not make an old edit the newest."""
    undated = [
        event_of(Edit("A", ASHA, "incoming", None, "Undated", None), received_at=BASE_TIME + i * world.HOUR)
        for i in (0, 2)
    ]
    hour_later = BASE_TIME + world.HOUR
    dated = event_of(Edit("A", ASHA, "incoming", None, "Dated", hour_later), received_at=hour_later)

    folding.assert_order_independent(history_database, event_of(message_fact()), *undated, dated)
    assert folding.visible_message(history_database)["message_text"] == "Dated"


@pytest.mark.parametrize("claimed", [5_000, YEAR_3000, None, BASE_TIME + 5 * world.HOUR])
def test_a_broken_clock_cannot_take_the_top_of_the_list(history_database: HistoryDatabase, claimed: int | None) -> None:
    """One phone with a wrong year would be at the top for a thousand years."""
    broken = event_of(message_fact(time=claimed), received_at=BASE_TIME)
    sound = event_of(message_fact("B", address=RAVI, time=BASE_TIME + world.HOUR), received_at=BASE_TIME + world.HOUR)

    folding.assert_order_independent(history_database, broken, sound)
    newest_first = sorted(
        folding.visible_chats(history_database).values(), key=lambda chat: chat["last_timestamp"], reverse=True
    )
    assert [chat["address"] for chat in newest_first] == [RAVI, ASHA]


def test_the_last_message_is_the_last_by_time_and_not_by_arrival(history_database: HistoryDatabase) -> None:
    """After a reconnect, WhatsApp sends old messages in bursts."""
    early, late = (
        event_of(message_fact("A", time=BASE_TIME)),
        event_of(message_fact("B", time=BASE_TIME + world.HOUR), received_at=BASE_TIME + world.HOUR),
    )
    burst = event_of(message_fact("C", time=BASE_TIME - world.DAY), received_at=BASE_TIME + 2 * world.HOUR)

    folding.assert_order_independent(history_database, early, late, burst)
    chat = folding.visible_chats(history_database)[ASHA]
    assert (chat["last_timestamp"], chat["last_id"]) == (
        BASE_TIME + world.HOUR,
        folding.visible_message(history_database, "B")["id"],
    )


def test_messages_of_one_second_are_ordered_by_receipt(history_database: HistoryDatabase) -> None:
    """SAK's seconds have ties, and a later transaction may have the earlier receipt."""
    first, second = (
        event_of(message_fact("Z"), received_at=BASE_TIME + 1),
        event_of(message_fact("Y"), received_at=BASE_TIME + 2),
    )

    folding.assert_order_independent(history_database, first, second)
    assert (
        folding.visible_chats(history_database)[ASHA]["last_id"] == folding.visible_message(history_database, "Y")["id"]
    )


def test_a_chat_waits_since_the_first_message_after_the_last_answer(history_database: HistoryDatabase) -> None:
    """The chat waits neither since the last message nor since a time before the answer."""
    before, answer = (
        event_of(message_fact("A")),
        event_of(message_fact("B", direction="outgoing", time=BASE_TIME + 1_000)),
    )
    after = [event_of(message_fact(f"C{i}", time=BASE_TIME + i * 2_000)) for i in (1, 2)]

    folding.assert_order_independent(history_database, before, answer, *after)
    assert folding.visible_chats(history_database)[ASHA]["waiting_since"] == BASE_TIME + 2_000


def test_an_answer_that_failed_is_no_answer(history_database: HistoryDatabase) -> None:
    """If the answer is delivered after all, it counts, because a status only increases."""
    question = event_of(message_fact("A"))
    answer = event_of(message_fact("B", direction="outgoing", time=BASE_TIME + 1_000, status="pending"))
    failed, delivered = event_of(Ack("B", "failed", ASHA, BASE_TIME)), event_of(Ack("B", "delivered", ASHA, BASE_TIME))

    folding.assert_order_independent(history_database, question, answer, failed)
    assert folding.visible_chats(history_database)[ASHA]["waiting_since"] == BASE_TIME
    folding.assert_order_independent(history_database, question, answer, failed, delivered)
    assert folding.visible_chats(history_database)[ASHA]["waiting_since"] is None
