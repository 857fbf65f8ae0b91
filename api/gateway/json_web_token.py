"""Reads the expiry of a JSON Web Token without verifying it. SAK verifies it, but its refusals give no reason."""

import time

import jwt


def expiry(token: str) -> float | None:
    """Return `exp` of the token in seconds since 1970, or None if it has none or is not a JWT."""
    try:
        exp: object = jwt.decode(token, options={"verify_signature": False}).get("exp")
    except jwt.InvalidTokenError:
        return None
    # There is no date to show beyond the year 9999.
    return (
        float(exp) if isinstance(exp, int | float) and not isinstance(exp, bool) and 0 <= exp < 253402300800 else None
    )


def is_expired(token: str) -> bool:
    """Return whether the token has expired by this machine's clock."""
    at = expiry(token)
    return at is not None and at <= time.time()
