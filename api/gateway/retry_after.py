"""Reads how long to wait after a rate limit, from the headers of a gateway's response."""

import email.utils
import re
from collections.abc import Mapping

_MAX_RELATIVE_SECONDS = 1e8
"""The greatest number in a rate-limit header that means seconds to wait. A larger one is a time since 1970."""


def parse(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds to wait, from Retry-After or from RateLimit-* as spelled in its drafts, or None."""
    retry_after = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", retry_after):
        return float(retry_after)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(retry_after).timestamp() - now)
    except (ValueError, OverflowError):
        pass  # not a date either: try the other headers
    combined = re.search(r"(?:\breset=|;\s*t=)([0-9]{1,10})\b", headers.get("RateLimit", ""))
    for name in ("RateLimit-Reset", "X-RateLimit-Reset"):
        text = headers.get(name, combined.group(1) if combined else "").strip()
        if re.fullmatch(r"[0-9]{1,10}", text):
            seconds = float(text)
            return max(0.0, seconds - now) if seconds > _MAX_RELATIVE_SECONDS else seconds
    return None
