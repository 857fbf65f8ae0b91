"""Normalises the spellings of a chat address to the one that is stored (store/model/facts.py)."""

import re
import unicodedata

_MAX_LENGTH = 128
_PHONE_PATTERN = re.compile(r"[1-9][0-9]{4,19}")
_JID_PATTERN = re.compile(r"([a-z0-9.-]{1,64}?)(?:_[0-9]+)?(?::[0-9]+)?@([a-z][a-z.]{0,30})")
_PHONE_SERVERS = frozenset({"s.whatsapp.net", "c.us"})


def parse(value: str) -> str | None:
    """The normalised address of `+91 98…`, digits in any script, a JID with or without device, or a LID.

    Bare digits are a phone number. None if the text cannot be an address; the address need not be known.
    """
    if len(value) > _MAX_LENGTH:
        return None
    text = unicodedata.normalize("NFKC", value).strip()
    return _normalize_jid(text.lower()) if "@" in text else _normalize_phone(text)


def _normalize_jid(text: str) -> str | None:
    match = _JID_PATTERN.fullmatch(text)
    if match is None:
        return None
    user, server = match.groups()
    return _normalize_phone(user) if server in _PHONE_SERVERS else f"{user}@{server}"


def _normalize_phone(text: str) -> str | None:
    """The digits of a phone number; a leading 00 means +, since no country code begins with 0."""
    digits: list[str] = []
    for character in text:
        digit = unicodedata.decimal(character, None)
        if digit is not None:
            digits.append(str(digit))
        elif unicodedata.category(character)[0] in "LNC" and unicodedata.category(character) != "Cf":
            return None
    phone = "".join(digits).removeprefix("00")
    return phone if _PHONE_PATTERN.fullmatch(phone) else None
