"""Chat addresses as a caller of the API spells them."""

from api import refusals
from store import spelling


def read(text: str) -> str:
    """The address that a spelling means, as it is stored (store/spelling.py); raises Refusal for what is none."""
    address = spelling.read(text)
    if address is None:
        raise refusals.bad(
            "bad_address",
            "The address is neither a phone number with its country code nor a WhatsApp id such as …@g.us.",
        )
    return address
