"""Decides whether a name adds something to the address."""

from store.model import addresses


def is_informative(name: str, person: str) -> bool:
    """Return whether the name adds something to the address. Some gateways repeat the number as the name."""
    return addresses.parse_phone(name) is None and name != person and name != person.partition("@")[0]
