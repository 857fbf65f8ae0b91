"""Recognises requests of clients that were authenticated before, which go first if strangers open many connections."""

import time
from dataclasses import dataclass

from starlette.datastructures import Headers
from uvicorn._types import HTTPScope

from api.auth.cookies import SignInCookies
from api.auth.failed_attempts import FailedAttempts


@dataclass(frozen=True, slots=True)
class KnownClients:
    """The known clients, without a query: a revoked token may count as known until it is used again."""

    failed_attempts: FailedAttempts
    cookies: SignInCookies

    def has_sent(self, scope: HTTPScope) -> bool:
        """Return whether the request has a token that was valid before, or a cookie that this server signed."""
        headers = Headers(raw=list(scope["headers"]))
        authorization = headers.get("authorization")
        if authorization is None:
            return self.cookies.decode(headers, time.time()) is not None
        return self.failed_attempts.is_known(authorization.partition(" ")[2])
