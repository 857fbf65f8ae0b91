"""Parses chat addresses in requests."""

from api.http import errors
from store.model import addresses


def parse(text: str) -> str:
    """Return the normalised address. Raises ApiError if the text is not an address."""
    address = addresses.parse(text)
    if address is None:
        raise errors.bad_request(
            "bad_address",
            "The address must be a phone number with its country code, or a WhatsApp id such as …@g.us.",
        )
    return address
