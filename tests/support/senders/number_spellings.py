"""Draws the spellings of a phone number that people, phones and programs produce, in bodies of every encoding."""

import json
import unicodedata
import urllib.parse
from collections.abc import Callable

from hypothesis import strategies as st

ZEROS = [code for code in range(0x80, 0x20000) if unicodedata.decimal(chr(code), None) == 0]
SEPARATORS = [
    *" -./()_,:·*",
    *"\u00a0\u2002\u2003\u2007\u2009\u200a\u202f\u205f\u3000\u2028\u0085\t\n",
    *"\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63\uff0d\u00ad",
    *"\u200b\u200c\u200d\u200e\u200f\u202a\u202c\u2060\u2066\u2069\ufeff\ufe0f\u0301",
    ") ",
    " - ",
    "\u200e\u00a0\u200f",
    "📞",
]
INVISIBLE = ["\u200b", "\u200d", "\u200e", "\u202a", "\u202c", "\u2060", "\ufeff", "\ufe0f", "\ufe0f\u20e3", "\u0300"]
PREFIXES = ["", "+", "00", "0", "tel:+", "wa.me/", "+\u2060", "\uff0b", "whatsapp://send?phone=", "TEL;waid=1:+"]


@st.composite
def spellings(draw: st.DrawFn, number: str, country_code: str) -> str:
    """Draw a spelling of the number, international or national, in the digits of any script."""
    form = draw(st.sampled_from(["international", "with trunk zero", "national"]))
    digits = number
    prefix = draw(st.sampled_from(PREFIXES))
    if form == "with trunk zero":
        digits, prefix = number.removeprefix(country_code), f"+{country_code} (0) "
    elif form == "national":
        digits, prefix = number.removeprefix(country_code), draw(st.sampled_from(["0", "0 ", "(0)", ""]))
    zero = draw(st.one_of(st.just(ord("0")), st.sampled_from(ZEROS)))
    separators = draw(st.lists(st.sampled_from(SEPARATORS), min_size=1, max_size=3))
    written = ""
    for position, digit in enumerate(digits):
        written += chr(zero + int(digit))
        if position < len(digits) - 1:
            written += draw(st.sampled_from(["", "", *separators, *INVISIBLE[:2]]))
        elif draw(st.booleans()):
            written += draw(st.sampled_from(INVISIBLE))
    return prefix + written


def _escape_html(text: str) -> str:
    return "".join(c if c.isascii() and c.isalnum() else f"&#{ord(c)};" for c in text)


def _escape_quoted_printable(text: str) -> str:
    return "".join(f"={byte:02X}" for byte in text.encode())


ENCODINGS: dict[str, Callable[[str], bytes]] = {
    "UTF-8": lambda text: json.dumps({"text": text}, ensure_ascii=False).encode(),
    "escapes": lambda text: json.dumps({"text": text}).encode(),
    "upper-case escapes": lambda text: (
        '{"text": "' + "".join(f"\\u{unit:04X}" for unit in _units(text)) + '"}'
    ).encode(),
    "JSON within JSON": lambda text: json.dumps({"data": json.dumps({"text": text})}).encode(),
    "JSON within JSON within JSON": lambda text: json.dumps([json.dumps([json.dumps([text])])]).encode(),
    "a key": lambda text: json.dumps({text: 1}).encode(),
    "a URL": lambda text: json.dumps({"url": "https://x/?to=" + urllib.parse.quote(text)}).encode(),
    "HTML": lambda text: json.dumps({"html": _escape_html(text)}).encode(),
    "a vCard": lambda text: json.dumps(
        {"card": "TEL;ENCODING=QUOTED-PRINTABLE:" + _escape_quoted_printable(text)}
    ).encode(),
    "broken JSON": lambda text: b'{"text": "' + text.encode(),
    "UTF-16": lambda text: json.dumps({"text": text}, ensure_ascii=False).encode("utf-16"),
}


def _units(text: str) -> list[int]:
    """Return the code units of UTF-16."""
    encoded = text.encode("utf-16-be")
    return [int.from_bytes(encoded[n : n + 2], "big") for n in range(0, len(encoded), 2)]


@st.composite
def bodies(draw: st.DrawFn, number: str, country_code: str) -> bytes:
    """Draw a body that contains a spelling of the number within other text."""
    before = draw(st.sampled_from(["", "ask Ravi: ", "order 5 ", "x"]))
    after = draw(st.sampled_from(["", " please", ", 2 pieces", "@s.whatsapp.net", ":12@s.whatsapp.net", "."]))
    encode = ENCODINGS[draw(st.sampled_from(sorted(ENCODINGS)))]
    return encode(before + draw(spellings(number, country_code)) + after)
