"""A number is found in a body in every spelling, and no other number is found."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.erasure import mentions
from tests.support.senders import number_spellings

ASHA = "919811000126"
OTHERS = ["919811000127", "9198110001260", "2919811000126", "200000000000011@lid"]


@given(number_spellings.bodies(ASHA, "91"))
def test_a_number_is_found_in_any_spelling(body: bytes) -> None:
    """The erasure, which knows the number, and the filter, which knows only hashes, both find it."""
    national = mentions.national_spelling(ASHA)

    assert mentions.occurs(mentions.compile_pattern([ASHA]), body)
    assert mentions.addresses_in(body) & {ASHA, national}


@given(number_spellings.bodies(ASHA, "91"), st.sampled_from(OTHERS))
def test_another_number_is_not_found(body: bytes, other: str) -> None:
    assert not mentions.occurs(mentions.compile_pattern([other]), body)


@given(st.binary(max_size=200), st.sampled_from(["919811000126", "200000000000011@lid", "120363041234567890@g.us"]))
def test_a_broken_body_mentions_nobody(body: bytes, address: str) -> None:
    assert not mentions.occurs(mentions.compile_pattern([address]), body)
    assert address not in mentions.addresses_in(body)


@pytest.mark.parametrize(
    ("address", "text", "found"),
    [
        ("919811000126", "919811000126@s.whatsapp.net", True),
        ("919811000126", "919811000126@g.us", False),
        ("919811000126", "919811000126-1600000000@g.us", True),
        ("919811000126-1600000000@g.us", "919811000126-1600000000@g.us", True),
        ("919811000126-1600000000@g.us", "919811000126-1600000001@g.us", False),
        ("200000000000011@lid", "200000000000011:7@lid", True),
        ("120363041234567890@g.us", "120363041234567890@g.us", True),
        ("120363041234567890@g.us", "120363041234567890@lid", False),
        ("4915112345678", "0151 1234 5678", True),
        ("4915112345678", "+49 (0) 151 / 1234-5678", True),
        ("390612345678", "+39 06 1234 5678", True),
        ("919811000126", "9198110 and 00126", False),
        ("0@s.whatsapp.net", "0@s.whatsapp.net", False),
        ("IN.16480000000011@bsuid", "IN.16480000000011", True),
        ("IN.ENT.a8Zb@bsuid", "of IN.ENT.a8Zb, twice", True),
        ("IN.16480000000011@bsuid", "IN.164800000000112", False),
        ("IN.16480000000011@bsuid", "MIN.16480000000011", False),
    ],
)
def test_servers_and_national_rules_count(address: str, text: str, found: bool) -> None:  # noqa: FBT001 - a parameter
    body = json.dumps({"who": text, "timestamp": 1734621000}).encode()

    assert mentions.occurs(mentions.compile_pattern([address]), body) is found
    assert bool(mentions.addresses_in(body) & {address, mentions.national_spelling(address)}) is found


def test_values_of_different_fields_are_not_one_number() -> None:
    body = b'{"a": "9198110", "b": "00126", "c": ["9198110", "00126"], "d": 9198110, "e": 126}'

    assert not mentions.occurs(mentions.compile_pattern([ASHA]), body)
    assert ASHA not in mentions.addresses_in(body)


@pytest.mark.parametrize(
    "part", [b"1 ", b"12345 ", b"9-", b"\\u0301", b"%41", b"&#49;", "\u0301".encode(), b"0", b"=3"]
)
def test_the_work_for_one_body_is_bounded(part: bytes) -> None:
    """A mebibyte from a stranger can contain some 20,000 numbers to look up."""
    body = part * ((1 << 20) // len(part))

    assert not mentions.occurs(mentions.compile_pattern([ASHA]), body)
    assert len(mentions.addresses_in(body)) <= 4 * 3 * 20_000
