"""Chooses between the time that an event claims and the time of its receipt."""

from typing import Literal, TypeAlias

TimeSource: TypeAlias = Literal["message", "receipt"]

EARLIEST_PLAUSIBLE = 1_230_768_000_000
"""2009-01-01 in ms. WhatsApp started in this year, so no message is older."""
MAX_CLOCK_SKEW = 10 * 60_000
"""The time in ms by which a sender's clock may be ahead of the receipt. Messages are dated by WhatsApp's servers. A
time that is hours ahead is therefore in a wrong time zone and would keep its chat on top of the list for hours.
"""


def effective(claimed_at: int | None, received_at: int) -> tuple[int, TimeSource]:
    """Return the effective time in ms and its source: the claimed time if it is credible, otherwise the receipt."""
    if claimed_at is not None and EARLIEST_PLAUSIBLE <= claimed_at <= received_at + MAX_CLOCK_SKEW:
        return claimed_at, "message"
    return received_at, "receipt"
