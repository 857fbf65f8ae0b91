"""Whether two clocks agree: receipts are dated by ingest's, the pulse by PostgreSQL's, the stream by Redis'."""

from store.doctor import finding
from store.doctor.finding import Finding

WARN_SECONDS, BROKEN_SECONDS = 2.0, 60.0
"""Seconds. The ledger calls the pulse old after 5; messages without a time of their own are dated by the receipt."""


def check_offset(name: str, owner: str, offset_seconds: float) -> Finding:
    """What to say of another clock that is so many seconds ahead of this machine's."""
    way = "ahead of" if offset_seconds > 0 else "behind"
    if abs(offset_seconds) <= WARN_SECONDS:
        return finding.ok(name, f"{owner} clock and this machine's agree within {WARN_SECONDS:g} s.")
    return finding.by_threshold(
        name,
        abs(offset_seconds),
        WARN_SECONDS,
        BROKEN_SECONDS,
        f"{owner} clock is {abs(offset_seconds):.1f} s {way} this machine's.",
        "Let both machines keep time with NTP (timedatectl status tells whether they do).",
    )
