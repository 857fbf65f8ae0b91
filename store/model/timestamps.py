"""How far a sender's clock is believed."""

from typing import Literal, TypeAlias

Source: TypeAlias = Literal["message", "receipt"]

EARLIEST = 1_230_768_000_000
"""2009-01-01, in ms: WhatsApp's first year, so no message is older."""
AHEAD = 24 * 3_600_000
"""How far, in ms, a sender's clock may be ahead of our receipt: a day covers every time zone set wrongly."""


def effective(claimed: int | None, received_at: int) -> tuple[int, Source]:
    """The time that counts, in ms, and whose it is: the claimed one if it can be believed, else the receipt."""
    if claimed is not None and EARLIEST <= claimed <= received_at + AHEAD:
        return claimed, "message"
    return received_at, "receipt"
