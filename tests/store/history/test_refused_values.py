"""A value that PostgreSQL cannot store fails as a permanent error, so that a worker finds the event and parks it."""

import pytest

from store.postgres.errors import PermanentError
from tests.support.generated_history.database import HistoryDatabase
from tests.support.history import folding
from tests.support.history.folding import event_of, message_fact


@pytest.mark.parametrize("is_known", [False, True])
@pytest.mark.parametrize(
    "refused",
    [
        event_of(message_fact(text="a\x00b")),
        event_of(message_fact(), received_at=1 << 62),
    ],
    ids=["NUL", "bigint"],
)
def test_a_value_without_room_in_its_column_is_refused(
    history_database: HistoryDatabase, refused: folding.DeliveredEvent, *, is_known: bool
) -> None:
    """Rows of new messages are copied, whereas those of known ones are inserted or merged."""
    history_database.clear()
    if is_known:
        folding.store_transactions(
            history_database.connection, [1], [event_of(message_fact(text="known"), seed="known")]
        )

    with pytest.raises(PermanentError):
        folding.store_transactions(history_database.connection, [2], [refused])
