import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.gateway.phone_number import InvalidRecipientError, normalize
from dev.gateway import state


@pytest.mark.parametrize(
    ("to", "digits"),
    [
        ("9811000009", "919811000009"),
        ("919811000009", "919811000009"),
        ("+91 98110-00009", "919811000009"),
        ("9198110000", "9198110000"),
        ("09811000009", "09811000009"),
        ("98110000", "98110000"),
        ("981100000123456", "981100000123456"),
        ("919811000009@s.whatsapp.net", "919811000009"),
        ("919811000009:22@s.whatsapp.net", "919811000009"),
        ("919811000009@c.us", "919811000009"),
    ],
)
def test_a_number_becomes_what_sak_dials(to: str, digits: str) -> None:
    """Ten digits that begin with 91 stay ten: surprising, and what SAK does."""
    assert normalize(to) == digits


@pytest.mark.parametrize(
    ("to", "says"),
    [
        ("120363041234567890@g.us", "a group"),
        ("200000000000011@lid", "a LID"),
        ("120363999999@newsletter", "a newsletter"),
        ("status@broadcast", "a broadcast"),
        ("somebody@example.com", "other addresses"),
        ("9811000", "has 7"),
        ("9811000001234567", "has 16"),
        ("٩٨١١٠٠٠٠٠٩", "has 0"),
        ("", "has 0"),
    ],
)
def test_a_number_that_sak_cannot_dial_is_refused_with_the_reason(to: str, says: str) -> None:
    """Digits of other scripts are no digits to SAK either."""
    with pytest.raises(InvalidRecipientError, match=re.escape(says)):
        normalize(to)


@given(st.text().filter(lambda text: "@" not in text))
def test_any_text_is_read_as_sak_reads_it(to: str) -> None:
    """One disagreement, and a reply lands in another chat than its question."""
    try:
        digits = normalize(to)
    except InvalidRecipientError:
        digits = None

    assert digits == state.normalize_phone(to)
    assert digits is None or normalize(digits) == digits
