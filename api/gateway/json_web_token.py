"""Reads when a JSON Web Token expires. It is not verified: SAK does that, and says only that it refuses."""

import base64
import json
import time
from typing import cast


def expiry(token: str) -> float | None:
    """The token's `exp` in seconds since 1970; None for a token that names none, or that is no JWT."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        payload: object = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return None
    exp = cast("dict[str, object]", payload).get("exp") if isinstance(payload, dict) else None
    # Beyond the year 9999 there is no date to show.
    return (
        float(exp) if isinstance(exp, int | float) and not isinstance(exp, bool) and 0 <= exp < 253402300800 else None
    )


def is_expired(token: str) -> bool:
    """Whether the token names an expiry that has passed on this machine's clock."""
    at = expiry(token)
    return at is not None and at <= time.time()
