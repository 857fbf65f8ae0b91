"""Signs and verifies the cookies that a dashboard uses in place of its token; scripts cannot read them.

The signing key is derived from API_TOKEN: every process of the API accepts every cookie, and a new API_TOKEN ends all
sign-ins. The database records only sign-ins that were ended (store/access/signouts.py).
"""

import hashlib
import hmac
import json
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.requests import cookie_parser

from api.http.errors import ApiError

LIFETIME_SECONDS = 30 * 86400
"""Seconds since the dashboard was last opened."""
CSRF_HEADER = "x-csrf-token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_TRUSTED_FETCH_SITES = frozenset({"same-origin", "none"})
_CSRF_ERROR = ApiError(403, "csrf", f"With a cookie, only the dashboard may write: {CSRF_HEADER} is invalid.")


@dataclass(frozen=True, slots=True)
class SignIn:
    """The content of a cookie."""

    token_id: int | None
    """The token that signed in; None: the bootstrap token."""
    nonce: str
    """Stays the same while the cookie is renewed."""
    until: int | None = None
    """Seconds since 1970 at which it ends, however often it is renewed; None: it can be renewed for ever."""


class SignInCookies:
    """Encodes and decodes the cookies of one API_TOKEN."""

    def __init__(self, bootstrap_token: str) -> None:
        self._key = hmac.digest(bootstrap_token.encode(), b"dashboard session", "sha256")
        # Unique to API_TOKEN, as a browser shares cookies between all ports of a host.
        self.name = f"history_{self._sign('name')[:8]}"

    def encode(self, sign_in: SignIn, now: float) -> str:
        expires_at = int(now) + LIFETIME_SECONDS
        payload = f"{sign_in.token_id or 0}.{sign_in.nonce}.{min(expires_at, sign_in.until or expires_at)}"
        if sign_in.until is not None:
            payload += f".{sign_in.until}"
        return f"{payload}.{self._sign('cookie', payload)}"

    def decode(self, headers: Headers, now: float) -> SignIn | None:
        """The sign-in of the cookie among the headers; None if it is absent, expired or not validly signed."""
        value = cookie_parser(headers.get("cookie", "")).get(self.name, "")
        payload, _, signature = value.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._sign("cookie", payload).encode()):
            return None
        token_id, nonce, expires_at, *until = payload.split(".")
        sign_in = SignIn(int(token_id) or None, nonce, int(until[0]) if until else None)
        return sign_in if now < int(expires_at) else None

    def derive(self, purpose: str, seed: str) -> str:
        """A secret of 64 hexadecimal digits, the same for the same purpose and seed."""
        return self._sign("derived", purpose, seed)

    def csrf_token(self, sign_in: SignIn) -> str:
        """The token that a page must send to write; other sites cannot read it."""
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
