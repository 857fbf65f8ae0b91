"""A replay of an account's events results in the stored rows and summaries, whenever its sessions joined."""

from collections.abc import Sequence

import pytest

from ingest.queue.contract import RawBatch
from store.accounts import joining
from store.postgres import connections
from tests.support.generated_history import batches as generated_history_batches
from tests.support.generated_history import database, snapshot
from tests.support.history import account_merging, replaying
from tests.support.history.faulty_parsers import FAULTY_PARSERS, FaultyParser, parse_correctly
from tests.support.history.replaying import comparable_snapshot, run_replay

EVERYDAY = "of another session"


def store_with_join(
    database_url: str, batches: Sequence[RawBatch], parse: FaultyParser, joins_after: float, *, merges: bool = True
) -> None:
    """Store the batches. The sessions join after the share `joins_after` of them."""
    with connections.open(database_url, "drain") as connection:
        numbers = database.ensure_sessions(connection)
        joins_at = round(joins_after * len(batches))
        for number in range(len(batches) + 1):
            if number == joins_at:
                with connection.transaction():
                    joining.join(connection, numbers, "919800000000")
            replaying.store_transaction(connection, batches[number : number + 1], parse)
        if merges:
            account_merging.merge_all(connection)


@pytest.mark.parametrize(
    "joins_after", [pytest.param(0.0, marks=pytest.mark.long), 0.5, pytest.param(1.0, marks=pytest.mark.long)]
)
def test_a_replay_of_an_account_changes_nothing(database_url: str, joins_after: float) -> None:
    """Every row keeps its version, because what the sessions share is neither divided nor written again."""
    store_with_join(database_url, list(generated_history_batches.generate_batches(150)), parse_correctly, joins_after)
    with connections.open(database_url, "test") as connection:
        before = generated_history_batches.table_versions(connection)

        reports = [run_replay(database_url, parse_correctly, dry_run=dry) for dry in (True, False)]

        assert [report.difference_counts for report in reports] == [{}, {}]
        assert generated_history_batches.table_versions(connection) == before


@pytest.mark.parametrize(
    "mistake", [pytest.param(name, marks=() if name == EVERYDAY else pytest.mark.long) for name in FAULTY_PARSERS]
)
def test_a_fix_of_the_parser_reaches_both_sessions(mistake: str, database_url: str, second_database_url: str) -> None:
    """The account becomes what it would be if the parser had been correct from the first event."""
    batches = list(generated_history_batches.generate_batches(150))
    store_with_join(database_url, batches, FAULTY_PARSERS[mistake], 0.5)
    store_with_join(second_database_url, batches, parse_correctly, 0.5)

    assert run_replay(database_url, parse_correctly).difference_counts
    assert snapshot.differences(comparable_snapshot(database_url), comparable_snapshot(second_database_url)) == []
    assert run_replay(database_url, parse_correctly).difference_counts == {}


@pytest.mark.long
def test_a_replay_before_the_histories_are_merged_does_no_harm(database_url: str, second_database_url: str) -> None:
    """The replay replaces keys as the merge would, and the merge finishes afterwards."""
    batches = list(generated_history_batches.generate_batches(150))
    store_with_join(database_url, batches, parse_correctly, 0.7, merges=False)
    store_with_join(second_database_url, batches, parse_correctly, 0.7)

    run_replay(database_url, parse_correctly)
    with connections.open(database_url, "merge") as connection:
        account_merging.merge_all(connection)

    assert snapshot.differences(comparable_snapshot(database_url), comparable_snapshot(second_database_url)) == []
    assert run_replay(database_url, parse_correctly).difference_counts == {}
