import email.utils

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from api.gateway import retry_after

NOW = 1795363600.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after": email.utils.formatdate(NOW + 30, usegmt=True)}, 30.0),
        ({"Retry-After": email.utils.formatdate(NOW - 30, usegmt=True)}, 0.0),
        ({"RateLimit-Reset": "42"}, 42.0),
        ({"X-RateLimit-Reset": str(int(NOW) + 9)}, 9.0),
        ({"RateLimit": "limit=100, remaining=0, reset=50"}, 50.0),
        ({"RateLimit": '"default";r=0;t=50'}, 50.0),
        ({"Retry-After": "soon", "RateLimit-Reset": "3"}, 3.0),
        ({"Retry-After": "7", "RateLimit-Reset": "42"}, 7.0),
        ({"Retry-After": "Mon, 01 Jan 99999999999 00:00:00 GMT"}, None),
        ({"RateLimit-Limit": "100"}, None),
        ({}, None),
    ],
)
def test_the_pause_is_read_in_every_spelling(headers: dict[str, str], seconds: float | None) -> None:
    """SAK's library has changed its headers with each draft of the standard."""
    assert retry_after.parse(CaseInsensitiveDict(headers), NOW) == seconds


@given(st.sampled_from(["Retry-After", "RateLimit-Reset", "RateLimit", "X-RateLimit-Reset"]), st.text())
def test_no_header_is_so_odd_that_reading_it_fails(name: str, value: str) -> None:
    """A rate limit must not cause a crash."""
    seconds = retry_after.parse({name: value}, NOW)

    assert seconds is None or seconds >= 0
