"""Decides which phones are two national spellings of one number."""

import re

import phonenumbers

_BRAZILIAN = re.compile(r"55([1-9][0-9])([0-9]{8})", re.ASCII)
_MEXICAN = re.compile(r"521([0-9]{10})", re.ASCII)
_ARGENTINE = re.compile(r"54([1-8][0-9]{9})", re.ASCII)


def standard(address: str) -> str | None:
    """Return the standard spelling if the phone may be in another national spelling, otherwise None.

    Mobile numbers in Brazil got a ninth digit, those in Mexico lost a 1, and those in Argentina have a 9 when dialled
    from abroad. The gateway reports either spelling. Only evidence proves that two spellings are one person. A landline
    is never another spelling of a mobile.
    """
    if not may_have_variants(address):
        return None
    if match := _BRAZILIAN.fullmatch(address):
        standard = f"55{match[1]}9{match[2]}"
    elif match := _MEXICAN.fullmatch(address):
        return f"52{match[1]}"
    elif match := _ARGENTINE.fullmatch(address):
        return f"549{match[1]}"
    else:
        return None
    number_type = phonenumbers.number_type(phonenumbers.parse(f"+{address}"))
    return None if number_type == phonenumbers.PhoneNumberType.FIXED_LINE else standard


def may_have_variants(phone: str) -> bool:
    """Return whether numbers in the phone's country have two national spellings."""
    return phone.startswith(("52", "54", "55"))


def standard_pair(one: str, other: str) -> tuple[str, str] | None:
    """Return (variant, standard) if one of two phones is another national spelling of the other."""
    if standard(one) == other:
        return one, other
    return (other, one) if standard(other) == one else None
