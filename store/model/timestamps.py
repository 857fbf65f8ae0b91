"""How far a sender's clock is believed."""

from typing import Literal, TypeAlias

TimeSource: TypeAlias = Literal["message", "receipt"]

EARLIEST_PLAUSIBLE = 1_230_768_000_000
"""2009-01-01, in ms: WhatsApp's first year, so no message is older."""
MAX_CLOCK_SKEW = 24 * 3_600_000
"""How far, in ms, a sender's clock may be ahead of our receipt: a day covers every time zone set wrongly."""


def effective(claimed_at: int | None, received_at: int) -> tuple[int, TimeSource]:
    """The time that counts, in ms, and whose it is: the claimed one if it can be believed, else the receipt."""
    if claimed_at is not None and EARLIEST_PLAUSIBLE <= claimed_at <= received_at + MAX_CLOCK_SKEW:
        return claimed_at, "message"
    return received_at, "receipt"
