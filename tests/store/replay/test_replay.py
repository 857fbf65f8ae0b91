"""Replay: what is kept becomes what this version would have made of it, and nothing else is touched."""

import pytest

from store.postgres import connections
from store.replay.report import Report
from tests.support.faulty_parsers import MISREADINGS, rightly
from tests.support.generated_history import batches as generated_history_batches
from tests.support.generated_history import snapshot, world
from tests.support.replaying import drain, history, misread_as, replayed, said


def test_an_up_to_date_history_is_not_written_to(database_url: str) -> None:
    """A replay costs reading and nothing else: no feed for dashboards to follow, no locks, no bloat."""
    drain(database_url, list(generated_history_batches.told(400)), rightly)
    with connections.open(database_url, "test") as connection:
        before = generated_history_batches.everything(connection)

        reports = [replayed(database_url, rightly, dry=dry) for dry in (True, False)]

        assert [(report.events, report.counts) for report in reports] == [(400, {}), (400, {})]
        assert generated_history_batches.everything(connection) == before


@pytest.mark.parametrize("mistake", MISREADINGS)
def test_a_fix_of_the_parser_reaches_what_is_kept(mistake: str, database_url: str, another_database_url: str) -> None:
    """The history becomes what it would be if the parser had been right from the first event."""
    batches = list(generated_history_batches.told(150))
    drain(database_url, batches, MISREADINGS[mistake])
    drain(another_database_url, batches, rightly)
    with connections.open(database_url, "test") as connection:
        before = generated_history_batches.everything(connection)

        announced = replayed(database_url, rightly, dry=True)

        assert generated_history_batches.everything(connection) == before
    assert announced.counts
    repaired = replayed(database_url, rightly)
    assert snapshot.differences(history(database_url), history(another_database_url)) == []
    assert of_events(repaired) == of_events(announced)
    assert replayed(database_url, rightly).counts == {}


def of_events(report: Report) -> dict[str, int]:
    return {kind: count for kind, count in report.counts.items() if kind.startswith("event ")}


def test_the_report_says_what_was_and_what_is_now(database_url: str) -> None:
    """Whoever decides on a replay wants to see, before, a few of the messages that it would change."""
    drain(
        database_url,
        [generated_history_batches.batch([(said("hello"), world.T0)])],
        misread_as(time=world.T0 - world.HOUR),
    )

    report = replayed(database_url, rightly, dry=True)

    assert report.counts == {"message timestamp": 1}
    assert report.examples["message timestamp"] == [
        {
            "where": f"{world.SESSIONS[0]} {world.ASHA} incoming ID1",
            "was": world.T0 - world.HOUR,
            "now": world.T0 + 1000,
        }
    ]
