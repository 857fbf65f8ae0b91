"""Decides which phones are two national spellings of one number."""

import re

import phonenumbers

_BRAZILIAN = re.compile(r"55([1-9][0-9])([0-9]{8})", re.ASCII)
_MEXICAN = re.compile(r"521([0-9]{10})", re.ASCII)
_ARGENTINE = re.compile(r"54([1-8][0-9]{9})", re.ASCII)


def standard(address: str) -> str | None:
    """The phone of which a normalised address may be another national spelling; None if it is none.

    Brazil's mobile numbers got a ninth digit, Mexico dropped the 1 of mobile numbers, Argentina's have a 9 abroad; the
    gateway reports either. Only evidence says that two spellings are one person. A landline is no spelling of a mobile.
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
    """Whether numbers of the phone's country have two national spellings."""
    return phone.startswith(("52", "54", "55"))


def standard_pair(one: str, other: str) -> tuple[str, str] | None:
    """(variant, standard) if one of two phones is another national spelling of the other."""
    if standard(one) == other:
        return one, other
    return (other, one) if standard(other) == one else None
