"""Tests replays that are interrupted, resumed or started twice, and that run while events arrive."""

import threading
from dataclasses import replace

import pytest

from ingest.queue.contract import RawBatch
from store.postgres import connections
from store.replay import progress, replay
from store.replay.replay import Replay, ReplayPlan
from tests.support.generated_history import batches as generated_history_batches
from tests.support.generated_history import snapshot
from tests.support.history import replaying
from tests.support.history.faulty_parsers import FAULTY_PARSERS, parse_correctly
from tests.support.history.replaying import comparable_snapshot, fetch_rows, replay_parser, run_replay, store_batches
from tests.support.waiting import retry_transient


def test_an_interrupted_replay_continues_where_it_stopped(database_url: str, second_database_url: str) -> None:
    """Ten million events take long, so a deployment during a replay must not make it start again."""
    batches = list(generated_history_batches.generate_batches(300, seed=5))
    store_batches(database_url, batches, FAULTY_PARSERS["wrong names"])
    store_batches(second_database_url, batches, parse_correctly)
    plan = ReplayPlan(replay_parser(parse_correctly), batch_size=20)
    steps: list[int] = []
    read, more = 0, True
    while more:
        # Each connection fails after two steps, at any point of the replay.
        with replay.open_connection(database_url) as connection:
            job = Replay(connection, plan)
            steps.append(job.progress.last_event_id)
            more = job.step() and job.step()
            read = job.report.event_count

    assert len(steps) > 10
    assert steps == sorted(steps)
    assert snapshot.differences(comparable_snapshot(database_url), comparable_snapshot(second_database_url)) == []
    assert fetch_rows(database_url, "SELECT count(*), count(finished_at) FROM replays") == [(1, 1)]
    assert read == 300


def test_a_replay_with_another_parser_starts_again(database_url: str) -> None:
    """Events that another version has read must be read again by this one."""
    store_batches(database_url, list(generated_history_batches.generate_batches(100)), parse_correctly)
    first = ReplayPlan(replay_parser(parse_correctly), batch_size=20)
    with replay.open_connection(database_url) as connection:
        Replay(connection, first).step()

    second = replace(first, parser=replace(first.parser, name="newer"))
    with replay.open_connection(database_url) as connection:
        assert Replay(connection, second).progress.last_event_id == 0
    with replay.open_connection(database_url) as connection:
        assert Replay(connection, second, restart=True).progress.replay_id == 3


def test_only_one_replay_runs_at_a_time(database_url: str) -> None:
    """Two replays would undo each other's changes."""
    with replay.open_connection(database_url), pytest.raises(progress.ReplayRunningError):
        replay.open_connection(database_url)


@pytest.mark.long
@pytest.mark.parametrize("mistake", ["wrong chats", "wrong evidence"])
def test_events_that_arrive_during_a_replay_are_stored(
    mistake: str, database_url: str, second_database_url: str
) -> None:
    """Nobody stops a system for a replay, so events that four workers store meanwhile are neither lost nor changed."""
    batches = list(generated_history_batches.generate_batches(600, seed=7, batch_size=10))
    store_batches(database_url, batches[: len(batches) // 2], FAULTY_PARSERS[mistake])
    store_batches(second_database_url, batches, parse_correctly)
    new = batches[len(batches) // 2 :]
    failures: list[Exception] = []

    def work(mine: list[RawBatch]) -> None:
        try:
            with connections.open(database_url, "worker") as connection:
                for batch in mine:
                    retry_transient(
                        lambda batch=batch: replaying.store_transaction(connection, [batch], parse_correctly)
                    )
        except Exception as error:  # noqa: BLE001 - the test reports it
            failures.append(error)

    threads = [threading.Thread(target=work, args=(new[number::4],)) for number in range(4)]
    for thread in threads:
        thread.start()
    plan = ReplayPlan(replay_parser(parse_correctly), batch_size=50)
    with replay.open_connection(database_url) as connection:
        job = Replay(connection, plan)
        while retry_transient(job.step):
            pass
    for thread in threads:
        thread.join()

    assert failures == []
    assert snapshot.differences(comparable_snapshot(database_url), comparable_snapshot(second_database_url)) == []
    assert run_replay(database_url, parse_correctly).difference_counts == {}
