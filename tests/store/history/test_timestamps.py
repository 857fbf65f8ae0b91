"""Which clock is believed, what comes after what, and who can never be on top."""

import pytest

from store.model.facts import Ack, Edit
from tests.support import folding
from tests.support.folding import T0, message, told
from tests.support.generated_history import world
from tests.support.generated_history.database import Memory

ASHA, RAVI = world.ASHA, world.RAVI
FIRST_DAY = 1_230_768_000_000
YEAR_3000 = 32_503_680_000_000


@pytest.mark.parametrize(
    ("claimed", "effective", "source"),
    [
        (T0 - world.DAY, T0 - world.DAY, "message"),
        (FIRST_DAY, FIRST_DAY, "message"),
        (FIRST_DAY - 1, T0, "receipt"),
        (5_000, T0, "receipt"),
        (None, T0, "receipt"),
        (T0 + world.DAY, T0 + world.DAY, "message"),
        (T0 + world.DAY + 1, T0, "receipt"),
        (YEAR_3000, T0, "receipt"),
    ],
)
def test_a_time_counts_between_2009_and_a_day_after_receipt(
    memory: Memory, claimed: int | None, effective: int, source: str
) -> None:
    """Beyond, the sender's clock is broken, and only our receipt tells anything."""
    folding.agreed(memory, told(message(time=claimed)))

    row = folding.only(memory)
    assert (row["timestamp"], row["time_source"]) == (effective, source)


def test_over_copies_the_least_time_counts(memory: Memory) -> None:
    """A message that names no time is as old as its first receipt, whichever copy is stored first."""
    copies = [told(message(time=None), received_at=T0 + i * world.HOUR) for i in range(3)]

    folding.agreed(memory, *copies)
    assert folding.only(memory)["timestamp"] == T0


def test_a_time_that_only_a_later_copy_makes_believable_is_not_believed(memory: Memory) -> None:
    """Received twice, three days apart: by the first receipt the clock was broken."""
    copies = [told(message(time=T0 + 2 * world.DAY), received_at=T0 + i * world.DAY) for i in (0, 3)]

    folding.agreed(memory, *copies)
    row = folding.only(memory)
    assert (row["timestamp"], row["time_source"]) == (T0, "receipt")


def test_marks_are_dated_like_messages(memory: Memory) -> None:
    """An edit from the year 3000 must not beat every later one."""
    broken = told(Edit("A", ASHA, "incoming", None, "From 3000", YEAR_3000), received_at=T0 + 1)
    sound = told(Edit("A", ASHA, "incoming", None, "Sound", T0 + 2), received_at=T0 + 2)

    folding.agreed(memory, told(message()), broken, sound)
    assert folding.only(memory)["message_text"] == "Sound"


def test_a_mark_without_a_time_is_as_old_as_its_first_receipt(memory: Memory) -> None:
    """A copy that comes late does not make an old edit the newest."""
    undated = [
        told(Edit("A", ASHA, "incoming", None, "Undated", None), received_at=T0 + i * world.HOUR) for i in (0, 2)
    ]
    dated = told(Edit("A", ASHA, "incoming", None, "Dated", T0 + world.HOUR))

    folding.agreed(memory, told(message()), *undated, dated)
    assert folding.only(memory)["message_text"] == "Dated"


@pytest.mark.parametrize("claimed", [5_000, YEAR_3000, None])
def test_a_broken_clock_cannot_take_the_top_of_the_list(memory: Memory, claimed: int | None) -> None:
    """One phone with a wrong year would be on top for a thousand years."""
    broken = told(message(time=claimed), received_at=T0)
    sound = told(message("B", address=RAVI, time=T0 + world.HOUR), received_at=T0 + world.HOUR)

    folding.agreed(memory, broken, sound)
    newest_first = sorted(folding.chats(memory).values(), key=lambda chat: chat["last_timestamp"], reverse=True)
    assert [chat["address"] for chat in newest_first] == [RAVI, ASHA]


def test_the_last_message_is_the_last_by_time_and_not_by_arrival(memory: Memory) -> None:
    """After a reconnect, WhatsApp sends old messages in bursts."""
    early, late = told(message("A", time=T0)), told(message("B", time=T0 + world.HOUR), received_at=T0 + world.HOUR)
    burst = told(message("C", time=T0 - world.DAY), received_at=T0 + 2 * world.HOUR)

    folding.agreed(memory, early, late, burst)
    chat = folding.chats(memory)[ASHA]
    assert (chat["last_timestamp"], chat["last_id"]) == (T0 + world.HOUR, folding.only(memory, "B")["id"])


def test_in_one_second_the_receipt_decides_whatever_was_stored_first(memory: Memory) -> None:
    """SAK's seconds have ties; a later transaction may hold the earlier receipt."""
    first, second = told(message("Z"), received_at=T0 + 1), told(message("Y"), received_at=T0 + 2)

    folding.agreed(memory, first, second)
    assert folding.chats(memory)[ASHA]["last_id"] == folding.only(memory, "Y")["id"]


def test_somebody_waits_since_the_first_message_after_the_last_answer(memory: Memory) -> None:
    """Not since the last message, and not since before the answer."""
    before, answer = told(message("A")), told(message("B", direction="outgoing", time=T0 + 1_000))
    after = [told(message(f"C{i}", time=T0 + i * 2_000)) for i in (1, 2)]

    folding.agreed(memory, before, answer, *after)
    assert folding.chats(memory)[ASHA]["waiting_since"] == T0 + 2_000


def test_an_answer_that_failed_is_no_answer(memory: Memory) -> None:
    """Until it turns out that it was delivered after all: status only grows."""
    question = told(message("A"))
    answer = told(message("B", direction="outgoing", time=T0 + 1_000, status="pending"))
    failed, delivered = told(Ack("B", "failed", ASHA, T0)), told(Ack("B", "delivered", ASHA, T0))

    folding.agreed(memory, question, answer, failed)
    assert folding.chats(memory)[ASHA]["waiting_since"] == T0
    folding.agreed(memory, question, answer, failed, delivered)
    assert folding.chats(memory)[ASHA]["waiting_since"] is None
