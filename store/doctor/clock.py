"""Checks that two clocks agree.

Ingest's clock dates receipts, PostgreSQL's the stream's status, and Redis' the stream's entries.
"""

from store.doctor import finding
from store.doctor.finding import Finding

WARN_SECONDS, BROKEN_SECONDS = 2.0, 60.0
"""The offsets in seconds that are a warning, and broken. The ledger ignores a status older than 5 s, and messages
without a credible time get the time of receipt.
"""


def check_offset(name: str, owner: str, offset_seconds: float) -> Finding:
    """Return a finding for a clock that is this many seconds ahead of this machine's clock."""
    direction = "ahead of" if offset_seconds > 0 else "behind"
    if abs(offset_seconds) <= WARN_SECONDS:
        return finding.ok(name, f"{owner} clock and this machine's agree within {WARN_SECONDS:g} s.")
    message = f"{owner} clock is {abs(offset_seconds):.1f} s {direction} this machine's."
    remedy = "Synchronize both machines by NTP; `timedatectl status` shows whether they are."
    return finding.by_threshold(name, abs(offset_seconds), WARN_SECONDS, BROKEN_SECONDS, message, remedy)
