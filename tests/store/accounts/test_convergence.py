"""Tests that an account with two gateways is the same whether its sessions join first, midway or last."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from store.accounts import joining, merging
from store.erasure.suppressions import SuppressionCache
from tests.support.generated_history import database, histories, snapshot
from tests.support.generated_history.database import HistoryDatabase, apply_step
from tests.support.generated_history.histories import Delivery, DrawnHistory
from tests.support.history import account_merging


def store_with_join(memory: HistoryDatabase, delivery: Delivery, joins_after: float) -> snapshot.Snapshot:
    """Return the history after this delivery. The sessions join after the share `joins_after` of the transactions."""
    memory.clear()
    connection = memory.connection
    numbers = database.ensure_sessions(connection)
    joins_at = round(joins_after * len(delivery))
    for number, step in enumerate([*delivery, ()]):
        if number == joins_at:
            with connection.transaction():
                joining.join(connection, numbers, "919800000000")
        elif number > joins_at:
            merging.run_step(connection, SuppressionCache())
        apply_step(connection, step)
    account_merging.merge_all(connection)
    return snapshot.read(connection)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("examples", [10, pytest.param(250, marks=pytest.mark.long)])
def test_one_account_is_the_same_whenever_its_sessions_join(history_database: HistoryDatabase, examples: int) -> None:
    """Evidence that two gateways serve one number may come before, between or after their events."""

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
    )
    @given(st.data())
    def converges(data: st.DataObject) -> None:
        # Drawn inside, because hypothesis refuses to print the arguments of a long history.
        history: DrawnHistory = data.draw(histories.draw_histories(sessions=2, max_events=100))
        shares = data.draw(st.tuples(st.floats(0, 1), st.floats(0, 1)))
        truths = [
            store_with_join(history_database, delivery, share)
            for delivery, share in zip(history.two_deliveries(), shares, strict=True)
        ]
        assert snapshot.differences(*truths) == []

    converges()
