"""Who asks: everything under /api bears a token, and a token says which sessions may be seen."""

import hmac
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api import envelope
from api.refusals import Refusal

_KEY = "caller"


@dataclass(frozen=True, slots=True)
class Caller:
    name: str
    sessions: tuple[str, ...] | None
    """The sessions that this caller may see; None: all of them."""
    scopes: frozenset[str]

    def may_see(self, wanted: str | None) -> tuple[str, ...] | None:
        """The sessions that an answer may be made of, when the caller asks for one of them or (None) for all."""
        if wanted is None:
            return self.sessions
        return (wanted,) if self.sessions is None or wanted in self.sessions else ()

    def needs(self, scope: str) -> None:
        if scope not in self.scopes:
            raise Refusal(403, "scope_missing", f"This token lacks the scope {scope}.")


ROOT = Caller("bootstrap", None, frozenset({"read", "write", "admin"}))


class Access:
    """Lets requests under /api pass to the application only with a token, whatever is behind them."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self.app = app
        self._token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (scope["path"] == "/api" or scope["path"].startswith("/api/")):
            caller = self._caller(Headers(scope=scope).get("authorization"))
            if caller is None:
                await _UNKNOWN(scope, receive, send)
                return
            scope.setdefault("state", {})[_KEY] = caller
        await self.app(scope, receive, send)

    def _caller(self, authorization: str | None) -> Caller | None:
        kind, _, token = (authorization or "").partition(" ")
        if kind.lower() == "bearer" and hmac.compare_digest(token.strip().encode(), self._token):
            return ROOT
        return None


_UNKNOWN = envelope.refuse(
    Refusal(
        401,
        "unauthorized",
        "This needs a valid token: Authorization: Bearer <token>.",
        {"www-authenticate": 'Bearer realm="api"'},
    )
)


def caller(request: Request) -> Caller:
    """Whose request it is."""
    found: object = request.scope["state"][_KEY]
    assert isinstance(found, Caller)
    return found
