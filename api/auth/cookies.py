"""Signs and verifies the cookies that dashboards use instead of tokens. Scripts cannot read them.

The signing key is derived from API_TOKEN. Every process of the API therefore accepts every cookie, and a new API_TOKEN
ends all sign-ins. The database records only sign-ins that were ended (store/access/signouts.py).
"""

import hashlib
import hmac
import json
from dataclasses import dataclass

from starlette.datastructures import Headers

from api.http.errors import ApiError

LIFETIME_SECONDS = 30 * 86400
"""The time in seconds for which a cookie is valid after the dashboard was last opened."""
CSRF_HEADER = "x-csrf-token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_TRUSTED_FETCH_SITES = frozenset({"same-origin", "none"})
_CSRF_ERROR = ApiError(403, "csrf", f"With a cookie, only the dashboard may write: {CSRF_HEADER} is invalid.")


@dataclass(frozen=True, slots=True)
class SignIn:
    """The content of a cookie."""

    token_id: int | None
    """The token that signed in, or None for the bootstrap token."""
    nonce: str
    """A random value that stays the same when the cookie is renewed."""
    until: int | None = None
    """The time at which the sign-in ends despite renewals, in seconds since 1970, or None if it can be renewed for
    ever.
    """


def find(headers: Headers, name: str) -> str:
    """Return the value of the last cookie with this name, or '' if there is none.

    Our cookies are never quoted. The standard library's way to remove quotation marks took quadratic time until Python
    3.11.10 and 3.12.6 (CVE-2024-7592).
    """
    cookies = [cookie.partition("=") for line in headers.getlist("cookie") for cookie in line.split(";")]
    return next((value.strip() for key, _, value in reversed(cookies) if key.strip() == name), "")


class SignInCookies:
    """The encoder and decoder of cookies for one API_TOKEN."""

    def __init__(self, bootstrap_token: str) -> None:
        self._key = hmac.digest(bootstrap_token.encode(), b"dashboard session", "sha256")
        # The name is unique to API_TOKEN, because a browser shares cookies between all ports of a host.
        self.name = f"history_{self._sign('name')[:8]}"

    def encode(self, sign_in: SignIn, now: float) -> str:
        expires_at = int(now) + LIFETIME_SECONDS
        payload = f"{sign_in.token_id or 0}.{sign_in.nonce}.{min(expires_at, sign_in.until or expires_at)}"
        if sign_in.until is not None:
            payload += f".{sign_in.until}"
        return f"{payload}.{self._sign('cookie', payload)}"

    def decode(self, headers: Headers, now: float) -> SignIn | None:
        """Return the sign-in in the cookie header, or None if it is missing or expired or its signature is invalid."""
        payload, _, signature = find(headers, self.name).rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._sign("cookie", payload).encode()):
            return None
        token_id, nonce, expires_at, *until = payload.split(".")
        sign_in = SignIn(int(token_id) or None, nonce, int(until[0]) if until else None)
        return sign_in if now < int(expires_at) else None

    def derive(self, purpose: str, seed: str) -> str:
        """Return a secret of 64 hexadecimal digits, which is always the same for a purpose and a seed."""
        return self._sign("derived", purpose, seed)

    def csrf_token(self, sign_in: SignIn) -> str:
        """Return the token that a page must send in order to write. Other sites cannot read it."""
        return self._sign("csrf", sign_in.nonce)

    def check_csrf(self, sign_in: SignIn, method: str, headers: Headers) -> None:
        """Raise ApiError if another site may have caused a request that writes."""
        site = headers.get("sec-fetch-site", "same-origin")
        if method not in SAFE_METHODS and (
            site not in _TRUSTED_FETCH_SITES
            or not hmac.compare_digest(headers.get(CSRF_HEADER, "").encode(), self.csrf_token(sign_in).encode())
        ):
            raise _CSRF_ERROR

    def _sign(self, *parts: str) -> str:
        message = json.dumps(parts, separators=(",", ":")).encode()
        return hmac.new(self._key, message, hashlib.sha256).hexdigest()
