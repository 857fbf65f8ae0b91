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

from api.http.errors import Refusal

LASTS = 30 * 86400
"""Seconds; a dashboard that is opened meanwhile begins them anew."""
CSRF_HEADER = "x-csrf-token"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_OURS = frozenset({"same-origin", "none"})
_OTHER_SITE = Refusal(403, "csrf", f"What a cookie signs in may write only from the dashboard itself ({CSRF_HEADER}).")


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a cookie says."""

    token_id: int | None
    """The token that signed in; None: the bootstrap token."""
    nonce: str
    """Stays the same while the cookie is renewed."""


class Cookies:
    """Makes and reads the cookies of one API_TOKEN."""

    def __init__(self, token: str) -> None:
        self._key = hmac.digest(token.encode(), b"dashboard session", "sha256")
        # A browser keeps the cookies of all ports of a host together.
        self.name = f"history_{self._sign('name')[:8]}"

    def seal(self, ticket: Ticket, now: float) -> str:
        said = f"{ticket.token_id or 0}.{ticket.nonce}.{int(now) + LASTS}"
        return f"{said}.{self._sign('cookie', said)}"

    def read(self, headers: Headers, now: float) -> Ticket | None:
        """What the cookie among the headers says; None if there is none, or it is over, or not ours."""
        value = cookie_parser(headers.get("cookie", "")).get(self.name, "")
        said, _, signature = value.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._sign("cookie", said).encode()):
            return None
        token_id, nonce, until = said.split(".")
        return Ticket(int(token_id) or None, nonce) if now < int(until) else None

    def csrf(self, ticket: Ticket) -> str:
        """What a page of ours knows and a page of somebody else's does not."""
        return self._sign("csrf", ticket.nonce)

    def check(self, ticket: Ticket, method: str, headers: Headers) -> None:
        """Raise Refusal if another site may be behind a request that would change something."""
        site = headers.get("sec-fetch-site", "same-origin")
        if method not in _SAFE and (
            site not in _OURS
            or not hmac.compare_digest(headers.get(CSRF_HEADER, "").encode(), self.csrf(ticket).encode())
        ):
            raise _OTHER_SITE

    def _sign(self, *parts: str) -> str:
        said = json.dumps(parts, separators=(",", ":")).encode()
        return hmac.new(self._key, said, hashlib.sha256).hexdigest()
