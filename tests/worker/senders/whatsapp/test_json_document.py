"""Both decoders decode bodies alike."""

import json

from hypothesis import given
from hypothesis import strategies as st

from worker.senders.reasons import NoFactsError, Reason
from worker.senders.whatsapp import json_document

LONG_NUMBER = b"12345678901234567890123456789"
"""A number that makes a body go to the slower decoder, which reads integers exactly."""

NUMBERS = st.sampled_from(["-0", "0.1", "1E5", "1e-400", "1e400", "1e999", "-1", "01", "9223372036854775807", "NaN"])
SPELLINGS = st.sampled_from(["\x01", "\n", "\\ud800", "\\ud83d\\ude00", "\\u0000", "\ufeff", "{", "]", '"', "\\"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=True) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
).map(json.dumps)


def read(body: bytes) -> str | Reason:
    """Return the fields as text, because NaN differs from itself, or the reason why there are none."""
    try:
        return repr(json_document.decode(body))
    except NoFactsError as error:
        return error.reason


@given(VALUES | NUMBERS | st.lists(SPELLINGS | VALUES, max_size=4).map("".join), st.booleans())
def test_a_value_is_the_same_beside_a_long_number(value: str, is_text: bool) -> None:  # noqa: FBT001 - drawn
    """Readable fields are part of an event's identity, so the faster decoder must read neither more nor less."""
    encoded = f'"{value}"'.encode() if is_text else value.encode()
    alone, beside = (read(b'{"value":' + encoded + end) for end in (b"}", b',"long":' + LONG_NUMBER + b"}"))

    if isinstance(alone, Reason):
        assert beside is alone
    else:
        assert beside == f"{alone[:-1]}, 'long': {LONG_NUMBER.decode()}}}"
