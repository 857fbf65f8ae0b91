"""Creates evidence on people's names, unless a name only repeats the address."""

from typing import Literal

from store.model import addresses
from store.model.facts import DisplayName


def evidence(name: str | None, person: str, quality: Literal[1, 2], time: int | None) -> tuple[DisplayName, ...]:
    """Return the name of a person as evidence, or nothing if there is no name or it only repeats the address."""
    if name is None or not _is_informative(name, person):
        return ()
    return (DisplayName(person, name, quality, time),)


def _is_informative(name: str, person: str) -> bool:
    """Return whether the name adds something to the address. Some gateways repeat the number as the name."""
    return addresses.parse_phone(name) is None and name != person and name != person.partition("@")[0]
