"""Cookies that a signed-in dashboard bears in place of its token, which no script can read and which are not the token.

Every process of the API knows every cookie: the key comes from API_TOKEN, and changing that signs everybody out. What
is kept is only which sign-ins were ended (store/access/signouts.py).
"""

import hashlib
import hmac
import json
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.requests import cookie_parser

from api.http.errors import ApiError

LIFETIME_SECONDS = 30 * 86400
"""Seconds; a dashboard that is opened meanwhile begins them anew."""
CSRF_HEADER = "x-csrf-token"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_TRUSTED_FETCH_SITES = frozenset({"same-origin", "none"})
_CSRF_ERROR = ApiError(403, "csrf", f"What a cookie signs in may write only from the dashboard itself ({CSRF_HEADER}).")


@dataclass(frozen=True, slots=True)
class SignIn:
    """What a cookie says."""

    token_id: int | None
    """The token that signed in; None: the bootstrap token."""
    nonce: str
    """Stays the same while the cookie is renewed."""


class SignInCookies:
    """Makes and reads the cookies of one API_TOKEN."""

    def __init__(self, bootstrap_token: str) -> None:
        self._key = hmac.digest(bootstrap_token.encode(), b"dashboard session", "sha256")
        # A browser keeps the cookies of all ports of a host together.
        self.name = f"history_{self._sign('name')[:8]}"

    def encode(self, sign_in: SignIn, now: float) -> str:
        said = f"{sign_in.token_id or 0}.{sign_in.nonce}.{int(now) + LIFETIME_SECONDS}"
        return f"{said}.{self._sign('cookie', said)}"

    def decode(self, headers: Headers, now: float) -> SignIn | None:
        """What the cookie among the headers says; None if there is none, or it is over, or not ours."""
        value = cookie_parser(headers.get("cookie", "")).get(self.name, "")
        said, _, signature = value.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._sign("cookie", said).encode()):
            return None
        token_id, nonce, until = said.split(".")
        return SignIn(int(token_id) or None, nonce) if now < int(until) else None

    def csrf_token(self, sign_in: SignIn) -> str:
        """What a page of ours knows and a page of somebody else's does not."""
        return self._sign("csrf", sign_in.nonce)

    def check_csrf(self, sign_in: SignIn, method: str, headers: Headers) -> None:
        """Raise Refusal if another site may be behind a request that would change something."""
        site = headers.get("sec-fetch-site", "same-origin")
        if method not in _SAFE_METHODS and (
            site not in _TRUSTED_FETCH_SITES
            or not hmac.compare_digest(headers.get(CSRF_HEADER, "").encode(), self.csrf_token(sign_in).encode())
        ):
            raise _CSRF_ERROR

    def _sign(self, *parts: str) -> str:
        said = json.dumps(parts, separators=(",", ":")).encode()
        return hmac.new(self._key, said, hashlib.sha256).hexdigest()
