"""Tests that events which PostgreSQL refuses, or which crash the parser, are parked, and the others are stored."""

import pytest

from dev.chaos import verdict
from dev.chaos.event_generator import EventGenerator
from dev.chaos.faults.fault_proxy import FaultProxy
from dev.embedded import postgres
from dev.embedded.servers import EmbeddedServers
from tests.support.processes.pipeline import WorkerPipeline

POISON = (
    b'{"event":"message.received","sessionId":"%b","from":"919811099999@s.whatsapp.net","messageId":"P%d",'
    b'"timestamp":1760000000,"type":"conversation","text":"POISON","wa_id":"919811099999"}'
)
REFUSE_TEXT = """
    ALTER TABLE whatsapp_messages ADD CONSTRAINT no_poison CHECK (message_text <> 'POISON')
"""
REFUSE_SESSION = """
    ALTER TABLE sessions ADD CONSTRAINT no_poison CHECK (session_id <> 'POISON')
"""
BREAKING = """
from worker.senders.sak import parser
parse = parser.parse
def touch(body):
    if b"BREAKER" in body:
        raise RecursionError("made up")
    return parse(body)
parser.parse = touch
"""


def poison(number: int, session: bytes = b"s") -> bytes:
    return POISON % (session, number)


def test_one_poisoned_event_among_two_hundred_is_parked_and_the_others_are_stored(pipeline: WorkerPipeline) -> None:
    """An error that the data causes occurs at each attempt, and must not affect other events."""
    pipeline.execute(REFUSE_TEXT)
    story = EventGenerator(71).take(199)
    pipeline.feed.append([*story[:120], poison(1), *story[120:]])
    worker = pipeline.create_worker().start()

    assert pipeline.wait_until_drained(), worker.output
    assert pipeline.fetch_rows("SELECT reason FROM parked_events WHERE reason <> 'unknown_event'") == [
        ("rejected_by_store",)
    ]
    found = verdict.judge(pipeline.database_url, pipeline.feed.written_bodies)
    assert (found.missing_events, found.duplicate_rows, found.unexpected_events) == (0, 0, 0), found
    assert pipeline.fetch_rows("SELECT count(*) FROM batches") == [(1,)], "the entry is still one batch"
    [(size, parts)] = pipeline.fetch_rows("SELECT size, stored + duplicate + noise + ping + parked FROM batches")
    assert size == parts == 200


def test_poison_in_several_batches_at_once_is_found_in_each(pipeline: WorkerPipeline) -> None:
    """A worker writes many batches in one transaction. An error there must not blame or delay the clean ones."""
    pipeline.execute(REFUSE_TEXT)
    story = EventGenerator(72)
    for number in range(12):
        pipeline.feed.append(story.take(10) if number % 4 else [*story.take(5), poison(number), *story.take(5)])
    worker = pipeline.create_worker().start()

    assert pipeline.wait_until_drained(), worker.output
    assert pipeline.fetch_rows("SELECT count(*) FROM parked_events WHERE reason = 'rejected_by_store'") == [(3,)]
    found = pipeline.judge()
    assert (found.missing_events, found.duplicate_rows, found.unexpected_events) == (0, 0, 0), found


def test_an_event_that_is_refused_even_as_parked_is_parked_without_its_names(pipeline: WorkerPipeline) -> None:
    """The name of its session is stored with the parked event. If PostgreSQL refuses that name, it must be left out."""
    pipeline.execute(REFUSE_SESSION)
    story = EventGenerator(73).take(20)
    pipeline.feed.append([*story[:9], poison(1, b"POISON"), *story[9:]])
    worker = pipeline.create_worker().start()

    assert pipeline.wait_until_drained(), worker.output
    parked = pipeline.fetch_rows("SELECT reason, session_id FROM parked_events WHERE reason = 'rejected_by_store'")
    assert parked == [("rejected_by_store", None)]
    found = pipeline.judge()
    assert (found.missing_events, found.duplicate_rows, found.unexpected_events) == (0, 0, 0), found


def test_a_parked_body_is_stored_byte_by_byte(pipeline: WorkerPipeline) -> None:
    """The bytes are kept until a parser or a store accepts them."""
    pipeline.execute(REFUSE_TEXT)
    pipeline.feed.append([poison(1)])
    worker = pipeline.create_worker().start()

    assert pipeline.wait_until_drained(), worker.output
    kept = pipeline.fetch_rows("SELECT body FROM raw_events JOIN parked_events USING (event_id)")
    assert [bytes(body) for (body,) in kept] == [poison(1)]


@pytest.mark.long
@pytest.mark.timeout(300)
def test_an_event_on_which_the_parser_breaks_is_parked_in_the_end(pipeline: WorkerPipeline) -> None:
    """A test ensures that the parser accepts every input. If it fails anyway, the stream must continue."""
    story = EventGenerator(74)
    pipeline.feed.append([*story.take(5), b'{"event":"BREAKER","id":"B1"}', *story.take(5)])
    worker = pipeline.create_worker(prelude=BREAKING).start()

    assert pipeline.wait_until_drained(100), worker.output
    assert pipeline.fetch_rows("SELECT reason FROM parked_events WHERE reason = 'kills_worker'") == [("kills_worker",)]
    assert worker.start_count == 1
    found = pipeline.judge()
    assert found.is_clean, found


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_search_that_takes_many_jobs_ends_and_delays_no_other_entry(
    pipeline: WorkerPipeline, servers: EmbeddedServers
) -> None:
    """With a distant PostgreSQL, one job judges only a few events.

    Its results must help the next job, and the successor of a killed worker. Meanwhile, later entries are stored.
    """
    pipeline.execute(REFUSE_TEXT)
    with FaultProxy(servers.postgres.socket_folder / postgres.SOCKET_NAME) as proxy:
        proxy.delay_seconds = 0.01
        pipeline.worker_database_url = f"postgresql://{postgres.ROLE}@127.0.0.1:{proxy.port}/{pipeline.database_name}"
        for first in (0, 20, 40):
            pipeline.feed.append([poison(number) for number in range(first, first + 20)])
        pipeline.feed.append(EventGenerator(76).take(10))
        worker = pipeline.create_worker().start()
        assert pipeline.wait_until(lambda: pipeline.count_ledger_events() >= 10, 60), worker.output
        assert pipeline.wait_until(lambda: count_verdicts(pipeline) >= 10, 60), worker.output
        worker.kill()
        judged = count_verdicts(pipeline)
        pipeline.feed.append(EventGenerator(75).take(20))
        worker.start()

        assert pipeline.wait_until(lambda: pipeline.count_ledger_events() >= 30, 60), worker.output
        [(parked,)] = pipeline.fetch_rows("SELECT count(*) FROM parked_events WHERE reason = 'rejected_by_store'")
        assert count_verdicts(pipeline) + parked >= judged, "the search goes on, and does not begin anew"
        assert pipeline.wait_until_drained(200), worker.output
    assert pipeline.fetch_rows("SELECT count(*) FROM parked_events WHERE reason = 'rejected_by_store'") == [(60,)]
    assert count_verdicts(pipeline) == 0, "nothing is kept about an entry that is stored"
    found = pipeline.judge()
    assert (found.missing_events, found.duplicate_rows, found.unexpected_events) == (0, 0, 0), found


def count_verdicts(pipeline: WorkerPipeline) -> int:
    """Return how many events of entries that are not stored yet were judged."""
    return sum(pipeline.redis.hlen(key) - 1 for key in pipeline.redis.keys("sak:events:verdicts:*"))
