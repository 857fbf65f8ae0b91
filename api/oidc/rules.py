"""Decides by e-mail address or group what a person may do: `asha@shop.example=read+write,group:admins=admin`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from telemetry.errors import SettingsError

SCOPES: Final = ("read", "write", "admin")
_GROUP = "group:"
_MAX_EMAIL_LENGTH = 254


@dataclass(frozen=True, slots=True)
class Rule:
    who: str
    """An e-mail address, `@` with a domain for all of its addresses, or a group. In lower case except for a group."""
    is_group: bool
    scopes: frozenset[str]


def parse(text: str) -> tuple[Rule, ...]:
    """Return the rules in a list separated by commas. Raises SettingsError."""
    rules = tuple(_parse_rule(part.strip()) for part in text.split(",") if part.strip())
    if not rules:
        raise SettingsError("OIDC_ALLOW is not set: it says who may sign in, such as asha@shop.example=read+write.")
    return rules


def scopes_of(rules: Sequence[Rule], claims: Mapping[str, object], groups_claim: str) -> frozenset[str]:
    """Return the scopes of the person with these claims; empty for none. Only a verified e-mail address counts."""
    email = verified_email(claims)
    names = set[str]() if email is None else {email, email[email.rindex("@") :]}
    claimed = claims.get(groups_claim)
    listed = cast("list[object]", claimed) if isinstance(claimed, list) else []
    groups = {group for group in listed if isinstance(group, str)}
    matching = (rule for rule in rules if rule.who in (groups if rule.is_group else names))
    return frozenset[str]().union(*(rule.scopes for rule in matching))


def verified_email(claims: Mapping[str, object]) -> str | None:
    """Return the e-mail address as the rules spell it, or None if the provider has not verified it."""
    email = claims.get("email")
    if claims.get("email_verified") is not True or not isinstance(email, str) or not email.isprintable():
        return None
    return _lower(email) if email.count("@") == 1 and len(email) <= _MAX_EMAIL_LENGTH else None


def _lower(email: str) -> str:
    """Return the address in lower case, or unchanged if it has characters other than ASCII.

    The Kelvin sign, for example, would become the letter k.
    """
    return email.lower() if email.isascii() else email


def _parse_rule(text: str) -> Rule:
    who, separator, scopes = text.rpartition("=")
    names = frozenset(scopes.split("+"))
    if not separator or not names <= set(SCOPES):
        raise SettingsError("Each part of OIDC_ALLOW must be WHO=SCOPES, with scopes such as read+write+admin.")
    if who.startswith(_GROUP) and len(who) > len(_GROUP):
        return Rule(who.removeprefix(_GROUP), is_group=True, scopes=names)
    if who.count("@") != 1 or who.endswith("@"):
        raise SettingsError(
            "Each WHO in OIDC_ALLOW must be an e-mail address, a domain such as @shop.example, or group:NAME."
        )
    return Rule(_lower(who), is_group=False, scopes=names)
