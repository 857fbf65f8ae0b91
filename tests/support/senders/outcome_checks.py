"""Checks that PostgreSQL can store and index the values of an outcome."""

from dataclasses import fields

from store.model.facts import Outcome
from worker.senders.whatsapp import text, timestamps


def assert_storable(outcome: Outcome) -> None:
    """Raises AssertionError unless every value fits into text, bigint or jsonb, and into its index."""
    assert (outcome.reason is None) == (outcome.kind in {"stored", "ping"})
    assert (outcome.facts != ()) == (outcome.kind == "stored")
    assert outcome.time is None or 0 < outcome.time <= timestamps.MAX_MILLISECONDS
    assert_text(outcome.event_type, text.MAX_LABEL)
    assert_id(outcome.session_id)
    assert outcome.facts or not outcome.others
    for other in outcome.others:
        assert_id(other.session_id)
    for fact in outcome.all_facts:
        for field in fields(fact):
            value: object = getattr(fact, field.name)
            if field.name in {"message_id", "reply_to", "address", "sender", "lid", "phone"}:
                assert_id(value)
            elif isinstance(value, str):
                assert_text(value, 2 * text.MAX_TEXT)
            elif field.name == "time" and value is not None:
                assert isinstance(value, int)
                assert 0 < value <= timestamps.MAX_MILLISECONDS


def assert_text(value: object, limit: int) -> None:
    if value is not None:
        assert isinstance(value, str)
        assert "\x00" not in value
        value.encode()
        assert len(value) <= limit


def assert_id(value: object) -> None:
    assert_text(value, text.MAX_ID_BYTES)
    assert value is None or (isinstance(value, str) and 0 < len(value.encode()) <= text.MAX_ID_BYTES)
