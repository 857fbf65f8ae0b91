"""Whether two clocks agree: receipts are dated by ingest's, the pulse by PostgreSQL's, the stream by Redis'."""

from store.doctor import finding
from store.doctor.finding import Finding

WARN, BREAK = 2.0, 60.0
"""Seconds. The ledger calls the pulse old after 5; messages without a time of their own are dated by the receipt."""


def judge(name: str, whose: str, seconds: float) -> Finding:
    """What to say of another clock that is so many seconds ahead of this machine's."""
    way = "ahead of" if seconds > 0 else "behind"
    if abs(seconds) <= WARN:
        return finding.ok(name, f"{whose} clock and this machine's agree within {WARN:g} s.")
    return finding.above(
        name,
        abs(seconds),
        WARN,
        BREAK,
        f"{whose} clock is {abs(seconds):.1f} s {way} this machine's.",
        "Let both machines keep time with NTP (timedatectl status tells whether they do).",
    )
