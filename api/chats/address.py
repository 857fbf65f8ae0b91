"""Chat addresses as a caller of the API spells them."""

from api.http import errors
from store.model import addresses


def read(text: str) -> str:
    """The address that a spelling means, as it is stored ; raises Refusal for what is none."""
    address = addresses.read(text)
    if address is None:
        raise errors.bad(
            "bad_address",
            "The address is neither a phone number with its country code nor a WhatsApp id such as …@g.us.",
        )
    return address
