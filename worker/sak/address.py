"""Normalises addresses as gateways spell them to the store's spelling (store/model/facts.py)."""

import re

_MAX_LENGTH = 128

_JID = re.compile(r"([0-9]{1,32}(?:-[0-9]{1,32})?|status)(?:_[0-9]{1,5})?(?::[0-9]{1,5})?@([a-z.]{1,20})", re.ASCII)
"""`user_agent:device@server`; agent and device identify one of a person's devices."""
_PHONE = re.compile(r"(?:\+|00)?([1-9][0-9]{6,14})(?::[0-9]{1,5})?", re.ASCII)
_BARE_PHONE = re.compile(r"[1-9][0-9]{6,14}", re.ASCII)
"""E.164 ends at fifteen digits; the shortest numbers with their country code have seven."""
_IGNORED_CHARACTERS = {ord(character): None for character in "\t ()-./\xa0\u202f\u2009"} | {
    # Hyphens, dashes, and the invisible direction marks that come with a copied number.
    code: None
    for first, last in ((0x2010, 0x2015), (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x2069))
    for code in range(first, last + 1)
}

_PHONE_SERVERS = frozenset({"s.whatsapp.net", "c.us"})
_OTHER_SERVERS = frozenset(
    {"g.us", "lid", "newsletter", "broadcast", "bot", "interop", "msgr", "call", "hosted", "hosted.lid"}
)


def parse(value: object) -> str | None:
    """The normalised address: a phone's digits, or a JID without device; None for any other value."""
    if isinstance(value, str) and "@" in value:
        # The common case.
        user = value.removesuffix("@s.whatsapp.net")
        return user if _BARE_PHONE.fullmatch(user) else _parse_jid(value)
    return parse_phone(value)


def _parse_jid(value: str) -> str | None:
    match = None if len(value) > _MAX_LENGTH else _JID.fullmatch(value.strip().lower())
    if match is None:
        return None
    user, server = match.groups()
    if server in _PHONE_SERVERS:
        return parse_phone(user)
    return f"{user}@{server}" if server in _OTHER_SERVERS and _is_valid_user(user, server) else None


def _is_valid_user(user: str, server: str) -> bool:
    """Only broadcasts have a user called `status`, only groups one with a hyphen."""
    if user == "status":
        return server == "broadcast"
    return "-" not in user or server == "g.us"


def parse_phone(value: object) -> str | None:
    """The digits of a bare or formatted number, with or without a device suffix; None for any other value."""
    if isinstance(value, int) and value > 0 and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or len(value) > _MAX_LENGTH:
        return None
    match = _PHONE.fullmatch(value.translate(_IGNORED_CHARACTERS))
    return match[1] if match else None


def parse_unambiguous_phone(value: object) -> str | None:
    """The phone of a phone's JID or of a number with '+'; None otherwise, as bare digits may be a LID's."""
    if not isinstance(value, str):
        return None
    if "@" in value:
        address = parse(value)
        return address if address is not None and is_phone(address) else None
    return parse_phone(value) if value.lstrip().startswith("+") else None


def is_phone(address: str) -> bool:
    """Whether a normalised address is a phone's."""
    return "@" not in address


def parse_lid(value: object) -> str | None:
    """The LID of a JID or, as the field is for LIDs, of digits; None for any other value."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or len(value) > _MAX_LENGTH:
        return None
    address = parse(value if "@" in value else f"{value}@lid")
    return address if address is not None and is_lid(address) else None


def is_lid(address: str) -> bool:
    """Whether a normalised address is a LID."""
    return address.endswith("@lid")


def is_person(address: str) -> bool:
    """Whether a normalised address is one person, the sender of every incoming message of that chat."""
    return is_phone(address) or is_lid(address)
