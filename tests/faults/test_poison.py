"""Events that PostgreSQL refuses, or that break their reader: found, parked, and their neighbours stored."""

import pytest

from dev.chaos import verdict
from dev.chaos.event_generator import Story
from tests.support.pipeline import Pipeline

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
from worker.sak import parser
read = parser.read
def touch(body):
    if b"BREAKER" in body:
        raise RecursionError("made up")
    return read(body)
parser.read = touch
"""


def poison(number: int, session: bytes = b"s") -> bytes:
    return POISON % (session, number)


def test_one_poisoned_event_among_two_hundred_is_parked_and_the_others_are_stored(pipeline: Pipeline) -> None:
    """What the data causes never goes through, however often it is tried; it must not take others with it."""
    pipeline.run(REFUSE_TEXT)
    story = Story(71).take(199)
    pipeline.feed.add([*story[:120], poison(1), *story[120:]])
    worker = pipeline.worker().start()

    assert pipeline.drained(), worker.said
    assert pipeline.rows("SELECT reason FROM parked WHERE reason <> 'unknown_event'") == [("rejected_by_store",)]
    found = verdict.judge(pipeline.database_url, pipeline.feed.kept)
    assert (found.missing, found.doubled, found.foreign) == (0, 0, 0), found
    assert pipeline.rows("SELECT count(*) FROM batches") == [(1,)], "the entry is still one batch"
    [(size, parts)] = pipeline.rows("SELECT size, stored + duplicate + noise + ping + parked FROM batches")
    assert size == parts == 200


def test_poison_in_several_batches_at_once_is_found_in_each(pipeline: Pipeline) -> None:
    """A worker takes many batches into one transaction; a refusal there must not blame or delay the clean ones."""
    pipeline.run(REFUSE_TEXT)
    story = Story(72)
    for number in range(12):
        pipeline.feed.add(story.take(10) if number % 4 else [*story.take(5), poison(number), *story.take(5)])
    worker = pipeline.worker().start()

    assert pipeline.drained(), worker.said
    assert pipeline.rows("SELECT count(*) FROM parked WHERE reason = 'rejected_by_store'") == [(3,)]
    found = pipeline.judge()
    assert (found.missing, found.doubled, found.foreign) == (0, 0, 0), found


def test_an_event_that_is_refused_even_as_parked_is_parked_without_its_names(pipeline: Pipeline) -> None:
    """Its session's name is kept beside what is parked; where that is what PostgreSQL refuses, it has to go as well."""
    pipeline.run(REFUSE_SESSION)
    story = Story(73).take(20)
    pipeline.feed.add([*story[:9], poison(1, b"POISON"), *story[9:]])
    worker = pipeline.worker().start()

    assert pipeline.drained(), worker.said
    parked = pipeline.rows("SELECT reason, session_id FROM parked WHERE reason = 'rejected_by_store'")
    assert parked == [("rejected_by_store", None)]
    found = pipeline.judge()
    assert (found.missing, found.doubled, found.foreign) == (0, 0, 0), found


def test_what_is_parked_is_kept_byte_by_byte(pipeline: Pipeline) -> None:
    """Nothing is unreadable for ever: the bytes wait for a parser or a store that takes them."""
    pipeline.run(REFUSE_TEXT)
    pipeline.feed.add([poison(1)])
    worker = pipeline.worker().start()

    assert pipeline.drained(), worker.said
    kept = pipeline.rows("SELECT body FROM events JOIN parked USING (event_id)")
    assert [bytes(body) for (body,) in kept] == [poison(1)]


@pytest.mark.long
@pytest.mark.timeout(300)
def test_an_event_on_which_the_parser_breaks_is_parked_in_the_end(pipeline: Pipeline) -> None:
    """The parser is total, and a test says so; should it not be, the stream must go on all the same."""
    story = Story(74)
    pipeline.feed.add([*story.take(5), b'{"event":"BREAKER","id":"B1"}', *story.take(5)])
    worker = pipeline.worker(prelude=BREAKING).start()

    assert pipeline.drained(100), worker.said
    assert pipeline.rows("SELECT reason FROM parked WHERE reason = 'kills_worker'") == [("kills_worker",)]
    assert worker.starts == 1
    found = pipeline.judge()
    assert found.clean, found
