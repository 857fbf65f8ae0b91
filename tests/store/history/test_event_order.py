"""One history results in the same rows for every order, division into batches and number of copies.

hypothesis shrinks a failing history and prints it with a line that reproduces it.
"""

import pytest
from hypothesis import HealthCheck, given, note, settings

from tests.support.generated_history import histories, snapshot
from tests.support.generated_history.database import HistoryDatabase
from tests.support.generated_history.histories import DrawnHistory
from tests.support.generated_history.statistics import DrawStatistics


def _check(memory: HistoryDatabase, examples: int, shares: DrawStatistics) -> None:
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
    )
    @given(histories.draw_histories())
    def converges(history: DrawnHistory) -> None:
        shares.count(history)
        truths: list[snapshot.Snapshot] = []
        for delivery in history.two_deliveries():
            memory.clear()
            memory.apply_delivery(delivery)
            truths.append(snapshot.read(memory.connection))
        differing = snapshot.differences(*truths)
        if differing:
            note(_written(history))
        assert not differing, "\n".join(differing)

    converges()


def _written(history: DrawnHistory) -> str:
    numbers = {copy: f"{i}.{j}" for i, event in enumerate(history.events) for j, copy in enumerate(event.copies)}
    lines = [f"{number} {copy.received_at} {copy.body!r}" for copy, number in numbers.items()]
    of_content = {(copy.body, copy.received_at): number for copy, number in numbers.items()}
    for delivery in history.two_deliveries():
        lines.append("delivered as:")
        for step in delivery:
            batches = [[of_content[copy] for copy in zip(b.bodies, b.received_at, strict=True)] for b in step]
            lines.append(f"  {batches}")
    return "\n".join(lines)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("examples", [10, pytest.param(275, marks=pytest.mark.long)])
def test_a_history_has_the_same_rows_in_any_order_batches_and_copies(
    history_database: HistoryDatabase, capfd: pytest.CaptureFixture[str], examples: int
) -> None:
    """Events arrive late, twice, out of order and from several workers, and readers must always see the same."""
    shares = DrawStatistics()
    try:
        _check(history_database, examples, shares)
    finally:
        shares.print_summary(capfd, "Told in two orders")

    assert shares.histories >= examples


@pytest.mark.long
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("quarter", [1, *(pytest.param(quarter, marks=pytest.mark.long) for quarter in (2, 3, 4))])
def test_thousands_of_histories_have_the_same_rows_in_any_order_batches_and_copies(
    history_database: HistoryDatabase, capfd: pytest.CaptureFixture[str], quarter: int
) -> None:
    """This runs the previous test on 2,000 histories."""
    shares = DrawStatistics()
    try:
        _check(history_database, 500, shares)
    finally:
        shares.print_summary(capfd, f"Told in two orders, part {quarter}")

    assert shares.histories >= 500
