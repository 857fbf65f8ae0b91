"""Normalises addresses, so that all spellings of an address mean one chat.

A normalised address is the digits of a phone (`919811000001`) or, for a chat without a phone, its JID without agent and
device: `120363041234567890@g.us`, `200000000000011@lid`. The parser, the API and the erasure all normalise addresses
here, so that two spellings of one address are one chat. Numbers with a trunk prefix follow the national rules in
`phonenumbers`; dialled numbers follow the gateway's own rule (`dialled`).
"""

import functools
import re
from collections.abc import Mapping
from typing import LiteralString

import phonenumbers

from store.model import national_spellings, spelling
from store.model.facts import ChatKind

_MAX_LENGTH = 128
_MAX_CACHED = 16_384  # most events are from people who wrote before

_JID = re.compile(r"([0-9]{1,32}(?:-[0-9]{1,32})?|status)(?:[._][0-9]{1,5})?(?::[0-9]{1,5})?@([a-z.]{1,20})", re.ASCII)
"""`user.agent:device@server`, or `user_agent` in older versions: one of a person's devices."""
_BUSINESS_SCOPED = re.compile(r"[A-Z]{2}(?:\.ENT)?\.[0-9A-Za-z]{1,100}", re.ASCII)
"""The id that Meta gives to a person for one business: the country and a random word."""
_DEVICE = re.compile(r"(?:[._][0-9]{1,5})?:[0-9]{1,5}", re.ASCII)
_PHONE = re.compile(r"[1-9][0-9]{6,14}", re.ASCII)
"""E.164 allows at most fifteen digits. The shortest numbers have seven, including their country code."""
_DIALLED = re.compile(r"0?[1-9][0-9]{5,14}", re.ASCII)
_DIGIT = re.compile(r"[0-9]", re.ASCII)
_WITHOUT_SEPARATORS = str.maketrans("", "", " ()-./")

_PHONE_SERVERS = frozenset({"s.whatsapp.net", "c.us", "hosted"})
"""`hosted` is a device of the person's business provider under the person's own number."""
_LID_SERVERS = frozenset({"lid", "hosted.lid"})
_KINDS: Mapping[str, ChatKind] = {
    "g.us": "group",
    **dict.fromkeys(("lid", "bsuid"), "lid"),
    "newsletter": "newsletter",
    "broadcast": "broadcast",
    **dict.fromkeys(("s.whatsapp.net", "bot", "interop", "msgr", "call"), "other"),
}
_KIND_NAMES = {"group": "a group", "lid": "a LID", "newsletter": "a newsletter", "broadcast": "a broadcast"}
ANSWERED_KINDS: LiteralString = "('phone', 'lid', 'group')"
"""The kinds of chats in which somebody may wait for an answer, as a list in SQL. Channels, status updates and broadcast
lists address everybody, and neither bots nor WhatsApp itself wait.
"""
WHATSAPP = "0@s.whatsapp.net"
"""The address of WhatsApp itself, which sends announcements and cannot be answered."""


class RecipientError(ValueError):
    """The gateway cannot dial this recipient. The message says why and begins in lower case."""


def parse(value: object) -> str | None:
    """Return the normalised address of a JID or a number, or None for any other value. The address may be unknown.

    Numbers may be written in the digits of any script, with separators, `+` or `00`. Bare digits are a phone.
    """
    if isinstance(value, str) and "@" in value:
        return _parse_jid(value) if len(value) <= _MAX_LENGTH else None
    return parse_phone(value)


@functools.lru_cache(_MAX_CACHED)
def _parse_jid(value: str) -> str | None:
    user = value.removesuffix("@s.whatsapp.net")
    if _PHONE.fullmatch(user):
        return user  # the common case
    if value.endswith("@bsuid"):
        return parse_business_scoped(value.removesuffix("@bsuid"))
    if (match := _JID.fullmatch(spelling.normalize(value).strip())) is None:
        return None
    user, server = match.groups()
    if server in _PHONE_SERVERS:
        return user if _PHONE.fullmatch(user) else (WHATSAPP if user == "0" else None)
    server = "lid" if server in _LID_SERVERS else server
    return f"{user}@{server}" if server in _KINDS and _is_valid_user(user, server) else None


def _is_valid_user(user: str, server: str) -> bool:
    """Return whether the server allows this user: `status` only for broadcasts, and a hyphen only for groups."""
    if user == "status":
        return server == "broadcast"
    return "-" not in user or server == "g.us"


def parse_phone(value: object) -> str | None:
    """Return the digits of a bare or formatted number, with or without a device, or None for any other value."""
    if isinstance(value, int) and value > 0 and not isinstance(value, bool):
        value = str(value)
    return _parse_number(value) if isinstance(value, str) and len(value) <= _MAX_LENGTH else None


@functools.lru_cache(_MAX_CACHED)
def _parse_number(value: str) -> str | None:
    digits = value.removeprefix("+")
    if _PHONE.fullmatch(digits) and not _country_code_and_zero().match(digits):
        return digits
    if value.isascii() and not _DIGIT.search(value):
        return None  # most names
    number = _plain_number(value)
    return None if number is None or number[0] == "0" else number


def _plain_number(text: str) -> str | None:
    """Return the digits of a number without separators, device, `+` and `00`.

    A result that begins with 0 is a number without its country code.
    """
    text = spelling.normalize(text)
    if match := _DEVICE.search(text):
        text = text[: match.start()] if match.end() == len(text.rstrip()) else ""
    plain = text.translate(_WITHOUT_SEPARATORS)
    digits = plain.removeprefix("+") if plain[:1] == "+" else plain.removeprefix("00")
    if not _DIALLED.fullmatch(digits):
        return None
    if _country_code_and_zero().match(digits):
        digits = _without_trunk_prefix(digits)
    return digits if digits[0] == "0" or _PHONE.fullmatch(digits) else None


@functools.cache
def _country_code_and_zero() -> re.Pattern[str]:
    codes = "|".join(str(code) for code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE)
    return re.compile(f"(?:{codes})0")


def _without_trunk_prefix(digits: str) -> str:
    """Return the digits as dialled from abroad.

    The zero of `+91 (0) 98110 00001` is removed; that of an Italian number is kept.
    """
    try:
        number = phonenumbers.parse(f"+{digits}")
    except phonenumbers.NumberParseException:
        return digits
    if not phonenumbers.is_valid_number(number):
        return digits  # a LID may look like a phone
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164).removeprefix("+")


def parse_unambiguous_phone(value: object) -> str | None:
    """Return the phone of a phone's JID or of a number with `+`.

    Returns None for bare digits, because they may belong to a LID.
    """
    if not isinstance(value, str):
        return None
    if "@" in value:
        address = parse(value)
        return address if address is not None and is_phone(address) else None
    return parse_phone(value) if value.lstrip().startswith("+") else None


def parse_lid(value: object) -> str | None:
    """Return the LID of a JID or, because the field is for LIDs, of bare digits. Returns None for any other value."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or len(value) > _MAX_LENGTH:
        return None
    address = parse(value if "@" in value else f"{value}@lid")
    return address if address is not None and is_lid(address) else None


def parse_business_scoped(value: object) -> str | None:
    """Return the address of a person for whom Meta gives only the id for this business, else None."""
    return f"{value}@bsuid" if isinstance(value, str) and _BUSINESS_SCOPED.fullmatch(value) else None


def merge_rank(address: str) -> int:
    """Return the rank of an address. Addresses are only merged into addresses of a higher rank.

    LIDs and Meta's ids are merged into phones, and variants into standard spellings.
    """
    if hides_phone(address):
        return 0
    return 1 if national_spellings.standard(address) else 2


def kind_of(address: str) -> ChatKind:
    """Return the kind of a normalised address. Bare digits are a phone."""
    _, at, server = address.partition("@")
    return _KINDS.get(server, "other") if at else "phone"


def is_phone(address: str) -> bool:
    """Return whether a normalised address is a phone."""
    return "@" not in address


def is_lid(address: str) -> bool:
    """Return whether a normalised address is a LID."""
    return address.endswith("@lid")


def is_group(address: str) -> bool:
    """Return whether a normalised address is a group."""
    return address.endswith("@g.us")


def hides_phone(address: str) -> bool:
    """Return whether a normalised address is a LID or an id from Meta: that of a person whose phone is hidden."""
    return address.endswith(("@lid", "@bsuid"))


def is_person(address: str) -> bool:
    """Return whether a normalised address belongs to one person, as a phone, a LID or an id from Meta."""
    return is_phone(address) or hides_phone(address)


def is_individual(address: str) -> bool:
    """Return whether every incoming message of the chat comes from the same party, such as a person or a bot."""
    return is_person(address) or kind_of(address) == "other"


def dialled(to: str) -> str:
    """Return the digits that the gateway dials, which are also the address of the chat. Raises RecipientError.

    Idempotent. SAK uses only the digits 0-9, puts 91 before ten digits that do not start with it, and dials 8 to 15
    digits. A number with `+`, `00` or a trunk prefix is first made international, because SAK dials leading zeros
    unchanged.
    """
    if "@" in to:
        address = parse(to)
        if address is None or not is_phone(address):
            kind = None if address is None else _KIND_NAMES.get(kind_of(address))
            raise RecipientError(f"SAK sends only to phone numbers, not to {kind or 'other addresses'}")
        return _prepend_india(address, is_international=True)
    if any(not character.isascii() and spelling.normalize(character).isdecimal() for character in to):
        raise RecipientError("a phone number is written with the digits 0 to 9")
    digits = re.sub(r"[^0-9+]", "", to)
    number = _plain_number(to) or _plain_number(digits)
    if number is None:
        raise RecipientError(f"a phone number has 8 to 15 digits, and this has {len(digits.replace('+', ''))}")
    return _prepend_india(number, is_international=digits.startswith(("+", "00")))


def _prepend_india(number: str, *, is_international: bool) -> str:
    """Return the number as SAK dials it."""
    if number.startswith("0"):
        raise RecipientError("a number that begins with 0 lacks its country: write it with + and the country code")
    if len(number) == 10 and not number.startswith("91"):
        if is_international:
            raise RecipientError(f"SAK dials 91 before ten digits, and so cannot reach +{number}")
        return "91" + number
    if len(number) < 8:
        raise RecipientError(f"a phone number has 8 to 15 digits, and this has {len(number)}")
    return number
