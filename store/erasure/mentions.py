"""Finds people's numbers and Meta's ids in raw bodies, in any spelling and encoding, whether parsed or not.

A body is read as text with its escapes decoded, normalised (store/model/spelling.py) and searched for digits with
separators between them. An erasure searches for known numbers. The batch filter looks up the hashes of all numbers that
a body may contain.
"""

import html
import itertools
import json
import re
import urllib.parse
from collections.abc import Collection, Iterator

import phonenumbers

from store.model import spelling

_GAP = r'(?:[^\w"]|_){1,8}'
"""The separators allowed between two digits of a number: no letter, no digit, and no end of a JSON string."""
_GAP_OR_NOTHING = f"(?:{_GAP})?"
_NUMBER_WITH_GAPS = re.compile(f"[0-9]+(?:{_GAP}[0-9]+)*")
_SERVER = re.compile(r"@(g\.us|newsletter|broadcast)")
"""Servers of addresses that do not belong to a person."""
_NOT_FOLLOWED_BY = {
    # True if the digits are those of a phone or a LID, unless the server shows that they belong to a group or the like.
    True: r"(?![0-9]|@(?:g\.us|newsletter|broadcast))",
    False: r"(?![0-9]|@(?:lid|s\.whatsapp\.net|c\.us))",
}
_ESCAPE = re.compile(r'\\+(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|([bfnrt])|(["\\/]))')
"""An escape in JSON, even in a JSON string within another JSON string."""
_SURROGATE = re.compile("[\ud800-\udfff]")
_QUOTED_PRINTABLE = re.compile("(?:=[0-9A-F]{2})+", re.IGNORECASE)
"""The quoted-printable encoding of characters that are not ASCII, used by vCard 2.1."""
_TRUNK_ZERO = "(0)"

_MIN_DIGITS, _MAX_DIGITS = 5, 32
_MIN_NATIONAL_DIGITS = 7
_MAX_PARTS = 24
"""The greatest number of groups of digits in which one number may be written."""
_MAX_CANDIDATES = 20_000
"""The greatest number of candidates that are looked up per body. Those without separators come first."""
_PERSON_SUFFIXES = ("", "@lid")
_BUSINESS_SCOPED_SUFFIX = "@bsuid"
_BUSINESS_SCOPED = re.compile(r"(?<![0-9A-Za-z])[A-Z]{2}(?:\.ENT)?\.[0-9A-Za-z]{1,100}(?![0-9A-Za-z])")
_USER = re.compile(r"[0-9]{5,32}(?:-[0-9]{1,32})?")


def national_spelling(address: str) -> str | None:
    """Return a phone's number as dialled in its own country, such as 09811000001.

    Returns None for other addresses. No normalised address begins with 0, so the number can be stored and looked up
    beside addresses.
    """
    if "@" in address or not address.isdecimal():
        return None
    try:
        phone = phonenumbers.parse(f"+{address}")
    except phonenumbers.NumberParseException:
        return None
    number = str(phone.national_number)
    is_number = phonenumbers.is_possible_number(phone) and len(number) >= _MIN_NATIONAL_DIGITS
    return f"0{number}" if is_number else None


def compile_pattern(addresses: Collection[str]) -> re.Pattern[str] | None:
    """Return a pattern for `occurs` that matches any of these addresses, or None if none can be searched for."""
    spellings = {*addresses, *filter(None, map(national_spelling, addresses))}
    alternatives = [
        _GAP_OR_NOTHING.join(user.replace("-", "").lstrip("0")) + _NOT_FOLLOWED_BY[server in ("", "lid")]
        for user, _, server in (address.partition("@") for address in sorted(spellings))
        if _USER.fullmatch(user)
    ]
    parts = [f"(?<![0-9])0*(?:{'|'.join(alternatives)})"] if alternatives else []
    ids = [
        address.removesuffix(_BUSINESS_SCOPED_SUFFIX)
        for address in sorted(addresses)
        if address.endswith(_BUSINESS_SCOPED_SUFFIX)
    ]
    if ids:
        # Normalised texts have no capitals.
        parts.append(f"(?<![0-9a-z])(?:{'|'.join(re.escape(each.casefold()) for each in ids)})(?![0-9a-z])")
    return re.compile("|".join(parts)) if parts else None


def occurs(pattern: re.Pattern[str] | None, body: bytes) -> bool:
    """Return whether the body contains one of the addresses of a pattern."""
    return pattern is not None and any(pattern.search(_normalize(text)) for text in _texts(body))


def addresses_in(body: bytes) -> set[str]:
    """Return the addresses that the body may contain. Each number counts as a phone, a LID and a national spelling."""
    addresses: set[str] = set()
    for text in _texts(body):
        ids = itertools.islice(_BUSINESS_SCOPED.finditer(text), _MAX_CANDIDATES)
        addresses.update(f"{found[0]}{_BUSINESS_SCOPED_SUFFIX}" for found in ids)
        for number, server in itertools.islice(_candidates(_normalize(text)), _MAX_CANDIDATES):
            if server:
                addresses.add(f"{number}@{server}")
            else:
                plain = number.lstrip("0")
                if _MIN_DIGITS <= len(plain) <= _MAX_DIGITS:
                    addresses.update(f"{plain}{suffix}" for suffix in _PERSON_SUFFIXES)
                    addresses.add(f"0{plain}")
    return addresses


def _candidates(text: str) -> Iterator[tuple[str, str | None]]:
    """Yield digits that may be a number and the server after them. Digits in few groups come first."""
    runs: list[list[str]] = []
    for match in _NUMBER_WITH_GAPS.finditer(text):
        groups = re.findall("[0-9]+", match[0])
        if server := _SERVER.match(text, match.end()):
            last = groups.pop()
            yield last, server[1]
            if groups:
                # The id of a group in the old format consists of its creator's number and a time.
                yield f"{groups[-1]}-{last}", server[1]
        runs.append(groups)
    for width in range(1, _MAX_PARTS + 1):
        runs = [groups for groups in runs if len(groups) >= width]
        for groups in runs:
            for start in range(len(groups) - width + 1):
                yield "".join(groups[start : start + width]), None


def _texts(body: bytes) -> Iterator[str]:
    """Yield the text of the body, then variants with other escapes (URLs, HTML, vCards) decoded."""
    text = _unescape(body.decode(json.detect_encoding(body) if b"\0" in body else "utf-8", "replace"))
    yield text
    if "%" in text:
        yield urllib.parse.unquote(text)
    if "&" in text:
        yield html.unescape(text)
    if "=" in text:
        yield _QUOTED_PRINTABLE.sub(
            lambda match: bytes.fromhex(match[0].replace("=", "")).decode(errors="replace"), text
        )


def _normalize(text: str) -> str:
    return spelling.normalize(text).replace(_TRUNK_ZERO, " ")


def _unescape(text: str) -> str:
    if "\\" not in text:
        return text
    text = _ESCAPE.sub(_decode_escape, text)
    if _SURROGATE.search(text):
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _decode_escape(match: re.Match[str]) -> str:
    code = match[1] or match[2]
    return chr(int(code, 16)) if code else match[4] or " "
