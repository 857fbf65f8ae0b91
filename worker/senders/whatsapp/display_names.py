"""Decides whether a name says more than the address that it names."""

from store.model import addresses


def is_informative(name: str, person: str) -> bool:
    """Whether the name adds to the address: some gateways repeat the number as the name."""
    return addresses.parse_phone(name) is None and name != person and name != person.partition("@")[0]
