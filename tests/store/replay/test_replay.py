"""A replay makes the stored rows equal to those of this version and changes nothing else."""

import pytest

from store.postgres import connections
from store.replay.report import ReplayReport
from tests.support.generated_history import batches as generated_history_batches
from tests.support.generated_history import snapshot, world
from tests.support.history.faulty_parsers import FAULTY_PARSERS, parse_correctly
from tests.support.history.replaying import (
    comparable_snapshot,
    parser_with_wrong_fields,
    run_replay,
    store_batches,
    text_event,
)


def test_an_up_to_date_history_is_not_written_to(database_url: str) -> None:
    """A replay only reads then. It writes no changes to the feed, takes no locks and leaves no dead rows."""
    store_batches(database_url, list(generated_history_batches.generate_batches(400)), parse_correctly)
    with connections.open(database_url, "test") as connection:
        before = generated_history_batches.table_versions(connection)

        reports = [run_replay(database_url, parse_correctly, dry_run=dry) for dry in (True, False)]

        assert [(report.event_count, report.difference_counts) for report in reports] == [(400, {}), (400, {})]
        assert generated_history_batches.table_versions(connection) == before


@pytest.mark.parametrize("mistake", FAULTY_PARSERS)
def test_a_fix_of_the_parser_reaches_stored_events(mistake: str, database_url: str, second_database_url: str) -> None:
    """The history becomes what it would be if the parser had been correct from the first event."""
    batches = list(generated_history_batches.generate_batches(150))
    store_batches(database_url, batches, FAULTY_PARSERS[mistake])
    store_batches(second_database_url, batches, parse_correctly)
    with connections.open(database_url, "test") as connection:
        before = generated_history_batches.table_versions(connection)

        announced = run_replay(database_url, parse_correctly, dry_run=True)

        assert generated_history_batches.table_versions(connection) == before
    assert announced.difference_counts
    repaired = run_replay(database_url, parse_correctly)
    assert snapshot.differences(comparable_snapshot(database_url), comparable_snapshot(second_database_url)) == []
    assert of_events(repaired) == of_events(announced)
    assert run_replay(database_url, parse_correctly).difference_counts == {}


def of_events(report: ReplayReport) -> dict[str, int]:
    return {kind: count for kind, count in report.difference_counts.items() if kind.startswith("event ")}


def test_the_report_shows_values_before_and_after(database_url: str) -> None:
    """An operator needs examples of the changes before running a replay."""
    store_batches(
        database_url,
        [generated_history_batches.make_batch([(text_event("hello"), world.BASE_TIME)])],
        parser_with_wrong_fields(time=world.BASE_TIME - world.HOUR),
    )

    report = run_replay(database_url, parse_correctly, dry_run=True)

    assert report.difference_counts == {"message timestamp": 1}
    assert report.examples["message timestamp"] == [
        {
            "where": f"{world.SESSIONS[0]} {world.ASHA} incoming ID1",
            "was": world.BASE_TIME - world.HOUR,
            "now": world.BASE_TIME + 1000,
        }
    ]
