"""Every spelling of an address means one chat, and text that is not an address means none."""

import re

import phonenumbers
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dev.gateway import state
from store.model import addresses
from store.model.facts import ChatKind

MOBILES = tuple(
    phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164).removeprefix("+")
    for region in ("IN", "GB", "DE", "BR", "MX", "AR", "IT", "US", "ID", "CI", "AE")
    if (number := phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE))
)
DECIMAL_ZEROS = (0x30, 0x660, 0x6F0, 0x966, 0x9E6, 0xAE6, 0xBE6, 0xC66, 0xFF10)
"""The code points of zero in ASCII, Arabic, Persian, Devanagari, Bengali, Gujarati, Tamil, Telugu and fullwidth."""


@st.composite
def spellings(draw: st.DrawFn) -> tuple[str, str]:
    """Draw a spelling of a number by people or gateways, and its address."""
    digits = draw(st.sampled_from(MOBILES))
    if draw(st.booleans()):
        agent = draw(st.sampled_from(["", ".0", ".1", "_1"]))
        device = draw(st.sampled_from(["", ":0", ":22", ":99"]))
        return digits + agent + device + draw(st.sampled_from(["@s.whatsapp.net", "@c.us", "@hosted"])), digits
    number = phonenumbers.parse("+" + digits)
    style = draw(st.sampled_from([phonenumbers.PhoneNumberFormat.INTERNATIONAL, phonenumbers.PhoneNumberFormat.E164]))
    written = phonenumbers.format_number(number, style)
    separator = draw(st.sampled_from(" -./\u00a0\u2009\u202f\u2010\u2011\u2013\u200b\u200e\u2060\u3000"))
    written = re.sub(r"[ -]", separator, written)
    marks = draw(st.sampled_from([("", ""), ("\u202a", "\u202c"), (" ", "\t"), ("\u2066", "\u2069"), ("(", ")")]))
    written = draw(st.sampled_from([written, "00" + written[1:], written[1:]]))
    zero = draw(st.sampled_from(DECIMAL_ZEROS))
    written = "".join(chr(zero + int(one)) if one in "0123456789" else one for one in written)
    return marks[0] + written + marks[1], digits


@given(spellings())
@example(("+91 (0) 98110 00001", "919811000001"))
@example(("+44 (0)7911 123456", "447911123456"))
@example(("+39 06 1234567", "39061234567"))
@example(("919811000001.0:22", "919811000001"))
def test_one_number_has_one_address_however_it_is_written(spelling: tuple[str, str]) -> None:
    """Two spellings that are kept apart would split a conversation in two."""
    written, digits = spelling

    assert addresses.parse(written) == digits


@pytest.mark.parametrize(
    ("written", "address"),
    [
        (" 919811000001@C.US ", "919811000001"),
        (919811000001, "919811000001"),
        ("120363041234567890@g.us", "120363041234567890@g.us"),
        ("919811000001-1612345678@g.us", "919811000001-1612345678@g.us"),
        ("200000000000011@lid", "200000000000011@lid"),
        ("200000000000011:7@lid", "200000000000011@lid"),
        ("200000000000011.1:0@lid", "200000000000011@lid"),
        ("200000000000011:99@hosted.lid", "200000000000011@lid"),
        ("120363999999@newsletter", "120363999999@newsletter"),
        ("IN.16480000000013@bsuid", "IN.16480000000013@bsuid"),
        ("status@broadcast", "status@broadcast"),
        ("1612345678@broadcast", "1612345678@broadcast"),
        ("867051314767696@bot", "867051314767696@bot"),
        ("0@s.whatsapp.net", "0@s.whatsapp.net"),
        ("0@c.us", "0@s.whatsapp.net"),
    ],
)
def test_agent_device_and_server_are_no_part_of_a_person(written: object, address: str) -> None:
    """A customer's phone, computer and business provider are one customer."""
    assert addresses.parse(written) == address


@pytest.mark.parametrize(
    "written",
    [
        *("", " ", "@", "@s.whatsapp.net", "Asha", "Asha@s.whatsapp.net", "status@lid", "status@g.us", "1-2@lid"),
        *("919811", "9198110000011111", "0919811000001", "098110 00001", "000919811000001", "+", "++919811000001"),
        *("919811000001@mail.example", "919811000001@s.whatsapp.net.example", "1@2@g.us", "919811000001:22x"),
        *("919811000001\n919811000002", "919811000001,919811000002", "9" * 100_000, "9" * 100_000 + "@lid"),
        *("\ud800@lid", None, True, False, 0, -919811000001, 919811000001.0, [], {}, {"id": "919811000001"}),
    ],
)
def test_an_invalid_address_is_none(written: object) -> None:
    """An address made from nonsense would be a chat that does not exist."""
    assert addresses.parse(written) is None


@given(st.text(max_size=200) | st.from_regex(r"[0-9+@.:_a-z]{1,30}", fullmatch=True))
def test_a_normalised_address_is_its_own_normalised_form(text: str) -> None:
    """Otherwise a chat from the list could not be opened by its address."""
    address = addresses.parse(text)

    assert address is None or addresses.parse(address) == address
    assert address is None or not address.startswith("0") or address == addresses.WHATSAPP


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("919811000001", "phone"),
        ("200000000000011@lid", "lid"),
        ("120363041234567890@g.us", "group"),
        ("120363999999@newsletter", "newsletter"),
        ("IN.16480000000013@bsuid", "lid"),
        ("status@broadcast", "broadcast"),
        ("0@s.whatsapp.net", "other"),
        ("867051314767696@bot", "other"),
    ],
)
def test_an_address_tells_the_kind_of_its_chat(address: str, kind: ChatKind) -> None:
    """The list, the summaries and the dashboard depend on it."""
    assert addresses.kind_of(address) == kind


@pytest.mark.parametrize(
    "value",
    ["+919811000001", " +91 98110 00001", "919811000001@s.whatsapp.net", "919811000001:2@c.us", "+९१9811000001"],
)
def test_a_jid_and_a_number_with_plus_are_trusted(value: object) -> None:
    """These are the two forms in which the gateway states that it knows the phone."""
    assert addresses.parse_unambiguous_phone(value) == "919811000001"


@pytest.mark.parametrize("value", ["919811000001", 919811000001, "200000000000011", "200000000000011@lid", "+", None])
def test_bare_digits_are_not_trusted(value: object) -> None:
    """In the chat of a LID, the gateway puts the LID's digits there. They would merge the chat with a stranger's."""
    assert addresses.parse_unambiguous_phone(value) is None


@pytest.mark.parametrize(
    ("to", "digits"),
    [
        ("9811000009", "919811000009"),
        ("919811000009", "919811000009"),
        ("+91 98110-00009", "919811000009"),
        ("0091 98110 00009", "919811000009"),
        ("+91 (0) 98110 00009", "919811000009"),
        ("tel:+91-98110-00009", "919811000009"),
        ("9198110000", "9198110000"),
        ("98110000", "98110000"),
        ("981100000123456", "981100000123456"),
        ("919811000009@s.whatsapp.net", "919811000009"),
        ("919811000009.0:22@s.whatsapp.net", "919811000009"),
        ("919811000009:99@hosted", "919811000009"),
        ("919811000009@c.us", "919811000009"),
    ],
)
def test_a_number_becomes_what_sak_dials(to: str, digits: str) -> None:
    """Ten digits that begin with 91 are not changed, because SAK does the same."""
    assert addresses.dialled(to) == digits == state.normalize_phone(digits)


@pytest.mark.parametrize(
    ("to", "says"),
    [
        ("120363041234567890@g.us", "a group"),
        ("200000000000011@hosted.lid", "a LID"),
        ("120363999999@newsletter", "a newsletter"),
        ("status@broadcast", "a broadcast"),
        ("0@s.whatsapp.net", "other addresses"),
        ("somebody@example.com", "other addresses"),
        ("9811000", "has 7"),
        ("9811000001234567", "has 16"),
        ("hello", "has 0"),
        ("", "has 0"),
        ("٩٨١١٠٠٠٠٠٩", "the digits 0 to 9"),
        ("098110 00009", "begins with 0"),
        ("+45 12 34 56 78", "cannot reach +4512345678"),
        ("4512345678@s.whatsapp.net", "cannot reach +4512345678"),
    ],
)
def test_a_number_that_sak_cannot_dial_is_refused_with_the_reason(to: str, says: str) -> None:
    """SAK would report success, but the message would reach nobody or a stranger."""
    with pytest.raises(addresses.RecipientError, match=re.escape(says)):
        addresses.dialled(to)


@given(st.text(alphabet=st.sampled_from("0123456789+ ()-.:xé१"), max_size=24).filter(lambda text: "@" not in text))
def test_the_dialled_digits_are_the_address_of_the_chat_with_the_reply(to: str) -> None:
    """SAK dials our digits unchanged, the gateway reports the reply under them, and a reader finds both by them."""
    try:
        digits = addresses.dialled(to)
    except addresses.RecipientError:
        return

    assert digits == state.normalize_phone(digits) == addresses.dialled(digits)
    assert addresses.parse(f"{digits}@s.whatsapp.net") == addresses.parse(digits) == digits
