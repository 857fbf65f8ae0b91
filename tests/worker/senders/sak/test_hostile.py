"""Bodies that are too large for files have an outcome in a short time, and its size is bounded."""

import json
import tracemalloc

import pytest

from store.model.facts import DisplayName, Message
from worker.senders.sak import parser
from worker.senders.whatsapp import text

FLAT: dict[str, object] = {
    "event": "message.received",
    "sessionId": "11111111-2222-4333-8444-555555555555",
    "from": "919811000001@s.whatsapp.net",
    "messageId": "3EB0C0FFEE01",
    "timestamp": 1734621000,
    "type": "conversation",
    "text": "Hi",
    "pushName": "Asha",
}
MEGABYTE = 1_000_000


def with_field(name: str, raw: str) -> bytes:
    """Return the flat message with this JSON in one field."""
    return json.dumps({**FLAT, name: "PLACE"}).replace('"PLACE"', raw).encode()


def message_of(body: bytes) -> Message:
    outcome = parser.parse(body).outcome
    assert outcome.kind == "stored"
    return next(fact for fact in outcome.facts if isinstance(fact, Message))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"[" * 100_000, "nested_too_deeply", id="lists-without-end"),
        pytest.param(b"[" * 100_000 + b"]" * 100_000, "nested_too_deeply", id="lists-in-lists"),
        pytest.param(b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested_too_deeply", id="objects-in-objects"),
        pytest.param(b'{"data":' + b'[{"a":' * 1_000_000, "nested_too_deeply", id="a-million-levels"),
        pytest.param(with_field("data", '{"data":' * 200 + "1" + "}" * 200), "nested_too_deeply", id="data-in-data"),
        pytest.param(b'"' * MEGABYTE, "not_json", id="quotes"),
        pytest.param(b'"\\' * MEGABYTE, "not_json", id="escaped-quotes"),
        pytest.param(b"[" * 129 + b'"\\"' * MEGABYTE, "nested_too_deeply", id="deep-then-escaped-quotes"),
        pytest.param(b'{"[[[[":"' + b"[{" * MEGABYTE, "not_json", id="brackets-in-an-endless-string"),
        pytest.param(b"{" + b'"a":{},' * 200_000, "not_json", id="many-small-objects"),
        pytest.param(b" " * MEGABYTE, "not_json", id="a-megabyte-of-spaces"),
        pytest.param(b"\x00" * MEGABYTE, "not_json", id="a-megabyte-of-nul"),
        pytest.param(b"\xff" * MEGABYTE, "not_utf8", id="a-megabyte-of-ff"),
        pytest.param(b"9" * MEGABYTE, "not_an_object", id="a-number-of-a-megabyte"),
        pytest.param(b"[" + b"1e5," * 250_000 + b"1]", "not_an_object", id="many-numbers"),
    ],
)
def test_a_body_of_nonsense_is_parked(body: bytes, reason: str) -> None:
    """SAK never sends these, but everyone with the secret can. None may end the worker or delay it for long."""
    outcome = parser.parse(body).outcome

    assert (outcome.kind, outcome.reason) == ("parked", reason)


@pytest.mark.parametrize("digits", [41, 4_300, 4_301, 5_000, 100_000])
def test_a_number_that_no_integer_holds_costs_only_its_field(digits: int) -> None:
    """Python refuses integers of more than 4,300 digits, but the message must not be lost with its timestamp."""
    message = message_of(with_field("timestamp", "9" * digits))

    assert (message.text, message.time) == ("Hi", None)


@pytest.mark.parametrize(
    "number", ["1e400", "-1e400", "NaN", "Infinity", "-Infinity", "1" + "0" * 300, "0." + "3" * 9_999]
)
def test_a_number_without_a_moment_is_no_time(number: str) -> None:
    """Each of these would make the whole batch fail in a bigint or a timestamptz."""
    message = message_of(with_field("timestamp", number))

    assert message.time is None


@pytest.mark.parametrize("length", [257, 9_000, MEGABYTE])
def test_an_id_too_long_for_an_index_is_named_by_its_hash(length: int) -> None:
    """PostgreSQL refuses index rows beyond 2,704 bytes. The message is kept, and events with the same id find it."""
    first = message_of(with_field("messageId", json.dumps("a" * length)))
    same = message_of(with_field("messageId", json.dumps("a" * length)))
    other = message_of(with_field("messageId", json.dumps("a" * (length - 1) + "b")))

    assert first.message_id == same.message_id != other.message_id
    assert first.message_id is not None
    assert len(first.message_id) == len("sha256:") + 64


def test_a_text_of_the_length_that_whatsapp_allows_is_kept_whole() -> None:
    """A limit that cuts real messages would be a loss."""
    written = "ह" * text.MAX_TEXT

    assert message_of(with_field("text", json.dumps(written))).text == written


def test_a_longer_text_says_how_much_is_missing() -> None:
    """Readers must be able to see that a text was cut."""
    message = message_of(with_field("text", json.dumps("x" * 5 * MEGABYTE)))

    assert message.text == "x" * text.MAX_TEXT + " [… 4934464 more characters]"


def test_a_long_name_is_cut() -> None:
    """A list of chats shows names, and one of a megabyte would be most of every page."""
    outcome = parser.parse(with_field("pushName", json.dumps("y" * MEGABYTE))).outcome
    [name] = [fact for fact in outcome.facts if isinstance(fact, DisplayName)]

    assert name.name == "y" * text.MAX_NAME


def test_an_event_about_very_many_messages_is_bounded() -> None:
    """One event must not become a million rows in one transaction."""
    ids = [f"3EB0{number}" for number in range(50_000)]
    body = json.dumps({"event": "message.read", "sessionId": "s", "messageIds": ids}).encode()

    assert len(parser.parse(body).outcome.facts) == 1_000


def test_memory_stays_in_proportion_to_the_body() -> None:
    """A worker reads hundreds of bodies at a time, so none may take many times its size."""
    body = with_field("data", "[" + "{}," * 300_000 + "{}]")
    tracemalloc.start()
    parser.parse(body)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    # Python takes 64 bytes for each empty object of two bytes, and a pointer in the list.
    assert peak < 60 * len(body)
