"""Chat addresses as a caller of the API spells them."""

from api.http import errors
from store.model import addresses


def parse(text: str) -> str:
    """The address that a spelling means, as it is stored ; raises Refusal for what is none."""
    address = addresses.parse(text)
    if address is None:
        raise errors.bad_request(
            "bad_address",
            "The address is neither a phone number with its country code nor a WhatsApp id such as …@g.us.",
        )
    return address
