"""An erasure leaves no body that mentions the person, however others spelled the number."""

import itertools
import json
from typing import cast

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.support.generated_history import world
from tests.support.history.erasure_scenario import RAVI, SESSION, ErasureScenario, message_event, now_ms
from tests.support.senders import number_spellings

NUMBERS = itertools.count(1000)


@settings(
    max_examples=4,
    deadline=None,
    # A counterexample is one of these bodies, and shrinking it would take minutes of database time.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.data())
def test_no_spelling_of_an_erased_number_is_left(erasure_scenario: ErasureScenario, data: st.DataObject) -> None:
    """The number is in no message of others, in no parked event and in no entry of the spool or the stream."""
    person = str(data.draw(st.integers(919811010000, 919811999999)))
    mentioning = [data.draw(mention_events(person, next(NUMBERS))) for _ in range(20)]
    others = [message_event("call 98110 00999 or +91 98110 00998", next(NUMBERS), RAVI), parked_event("no number")]
    half = len(mentioning) // 2
    erasure_scenario.receive(*mentioning[:half], *others, message_event("it is me", next(NUMBERS), person))
    waiting = erasure_scenario.acknowledge(mentioning[half:])

    erasure_scenario.erase_person(person)
    erasure_scenario.drain([waiting])

    kept = erasure_scenario.fetch_rows("SELECT body FROM raw_events WHERE body = ANY(%s)", [*mentioning, *others])
    assert sorted(bytes(cast("bytes", body)) for (body,) in kept) == sorted(others)
    assert erasure_scenario.fetch_rows("SELECT FROM chats WHERE address = %s", person) == []
    texts = erasure_scenario.message_texts()
    assert all(json.loads(body)["text"] in texts for body in mentioning if b'"message.received"' in body)
    assert erasure_scenario.ledger_counts()


@st.composite
def mention_events(draw: st.DrawFn, person: str, number: int) -> bytes:
    """Return a message of another person or an unknown event that mentions the number."""
    if draw(st.booleans()):
        body = draw(number_spellings.bodies(person, "91"))
        return body + b" " * number
    text = f"{number} ask Asha: {draw(number_spellings.spellings(person, '91'))} thanks"
    return message_event(text, number, RAVI)


def parked_event(text: str) -> bytes:
    return world.encode_event({"event": "never.heard.of", "sessionId": SESSION, "x": text, "at": now_ms()})
