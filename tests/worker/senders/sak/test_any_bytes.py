"""Any body has an outcome whose values can all be stored."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.senders.outcome_checks import assert_storable
from worker.senders.sak import parser

EVENTS = [
    *("message.received", "message.sent", "message.reaction", "message.edited", "message.deleted", "message.status"),
    *("message.read", "status.change", "session.status", "session.connected", "call.offer"),
]
KEYS = [
    *(
        "event",
        "sessionId",
        "session",
        "data",
        "message",
        "payload",
        "key",
        "id",
        "messageId",
        "messageIds",
        "timestamp",
    ),
    *(
        "from",
        "from_jid",
        "to",
        "wa_id",
        "from_number",
        "from_lid",
        "chatId",
        "remoteJid",
        "participant",
        "participantPn",
    ),
    *(
        "pushName",
        "contact",
        "name",
        "number",
        "fromMe",
        "test",
        "type",
        "text",
        "body",
        "conversation",
        "caption",
        "media",
    ),
    *("mediaUrl", "url", "mimetype", "fileName", "replyTo", "contextInfo", "stanzaId", "reaction", "reactionMessage"),
    *(
        "protocolMessage",
        "editedMessage",
        "newText",
        "ephemeralMessage",
        "imageMessage",
        "extendedTextMessage",
        "status",
    ),
    *("ack", "phoneNumber", "low", "high", "unsigned", "seconds", "connected", "emoji", "targetMessageId"),
]
WORDS = [
    *("", " ", "\x00", "\ud800", "a\udfffb", "😀", "919811000001", "+91 98110 00001", "919811000001:22@s.whatsapp.net"),
    *("200000000000011@lid", "120363041234567890@g.us", "status@broadcast", "120363999999@newsletter", "@", "x@lid"),
    *(
        "conversation",
        "imageMessage",
        "reactionMessage",
        "protocolMessage",
        "editedMessage",
        "ephemeralMessage",
        "REVOKE",
    ),
    *("MESSAGE_EDIT", "senderKeyDistributionMessage", "delivered", "READ", "connected", "https://media.example/1.jpg"),
    *(
        "2024-12-19T15:10:00Z",
        "9999-12-31T23:59:59.999999+00:00",
        "0001-01-01T00:00:00+14:00",
        "1734621000",
        "NaN",
        "1e999",
    ),
]
NUMBERS = [0, -1, 1, 3, 14, 1734621000, 1734621000123, 2**31, 2**63, 2**64, 10**30, 919811000001, 1e308, -0.0, 0.5]

scalars = (
    st.sampled_from(WORDS)
    | st.sampled_from(NUMBERS)
    | st.text(st.characters(), max_size=20)
    | st.integers()
    | st.floats()
    | st.booleans()
    | st.none()
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=8),
    max_leaves=30,
)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Draw an event of ours with random values. Without event and session, nearly all would be parked unread."""
    told = draw(st.dictionaries(st.sampled_from(KEYS), values, max_size=14))
    return json.dumps({"sessionId": "s", "event": draw(st.sampled_from(EVENTS)), **told}).encode()


EVERYDAY = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
CHEAP = settings(EVERYDAY, max_examples=1_000)
LONG = settings(EVERYDAY, max_examples=5_000)


@CHEAP
@given(st.binary(max_size=2_000))
def test_any_bytes_have_an_outcome(body: bytes) -> None:
    """The queue is durable, so a body that raises an exception would return forever."""
    assert_storable(parser.parse(body).outcome)


@CHEAP
@given(st.text(st.characters(codec="utf-8"), max_size=500))
def test_any_text_has_an_outcome(body: str) -> None:
    """Nearly all random bytes fail the first check, whereas text gets further."""
    assert_storable(parser.parse(body.encode()).outcome)


@EVERYDAY
@given(bodies())
def test_any_json_of_our_own_words_has_an_outcome_that_can_be_stored(body: bytes) -> None:
    """A hostile value that PostgreSQL refuses would make its batch fail."""
    assert_storable(parser.parse(body).outcome)


@EVERYDAY
@given(bodies())
def test_reading_twice_gives_the_same(body: bytes) -> None:
    """A replay reads everything again and must change nothing."""
    assert parser.parse(body) == parser.parse(body)


@pytest.mark.long
@pytest.mark.timeout(600)
@LONG
@given(st.binary(max_size=5_000) | bodies())
def test_very_many_bodies_have_an_outcome_that_can_be_stored(body: bytes) -> None:
    """This runs the previous test for as long as CI's longer profile allows."""
    parsed = parser.parse(body)

    assert_storable(parsed.outcome)
    assert parser.parse(body) == parsed
