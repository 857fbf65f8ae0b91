"""Chooses between the time that an event claims and the time of its receipt."""

from typing import Literal, TypeAlias

TimeSource: TypeAlias = Literal["message", "receipt"]

EARLIEST_PLAUSIBLE = 1_230_768_000_000
"""2009-01-01, in ms: WhatsApp's first year, so no message is older."""
MAX_CLOCK_SKEW = 24 * 3_600_000
"""Milliseconds by which a sender's clock may be ahead of the receipt: a day covers every wrong time zone."""


def effective(claimed_at: int | None, received_at: int) -> tuple[int, TimeSource]:
    """The effective time, in ms, and its source: the claimed time if it is credible, else the receipt."""
    if claimed_at is not None and EARLIEST_PLAUSIBLE <= claimed_at <= received_at + MAX_CLOCK_SKEW:
        return claimed_at, "message"
    return received_at, "receipt"
