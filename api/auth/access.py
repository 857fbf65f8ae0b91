"""Who asks: everything under /api bears a token, and a token says which sessions may be seen."""

import hmac
import logging
import time
from dataclasses import dataclass, field, replace

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.auth.cookies import SignInCookies
from api.auth.tokens import TokenAuthenticator
from api.http import responses
from api.http.errors import ApiError
from store.access.tokens import Token
from store.postgres import errors

_CALLER_KEY = "caller"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_SCOPE_FREE_PATHS = frozenset({"/api/session"})
"""Where any scope will do: it changes nothing but the caller's own cookie."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Caller:
    name: str
    sessions: tuple[str, ...] | None
    """The sessions that this caller may see; None: all of them."""
    scopes: frozenset[str]
    token_id: int | None = None
    """None: the bootstrap token."""
    sign_in_nonce: str | None = field(default=None, compare=False)
    """The nonce of the cookie, of whoever came with one."""

    def visible_sessions(self, session_id: str | None) -> tuple[str, ...] | None:
        """The sessions that an answer may be made of, when the caller asks for one of them or (None) for all."""
        if session_id is None:
            return self.sessions
        return (session_id,) if self.sessions is None or session_id in self.sessions else ()

    def require_scope(self, scope: str) -> None:
        if scope not in self.scopes:
            raise ApiError(403, "scope_missing", f"This token lacks the scope {scope}.")


BOOTSTRAP_CALLER = Caller("bootstrap", None, frozenset({"read", "write", "admin"}))


class AuthMiddleware:
    """Lets requests under /api pass to the application only with a token, or a cookie got for one."""

    def __init__(
        self, app: ASGIApp, bootstrap_token: str, cookies: SignInCookies, authenticator: TokenAuthenticator
    ) -> None:
        self.app = app
        self._bootstrap_token = bootstrap_token.encode()
        self._authenticator = authenticator
        self._cookies = cookies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not (scope["path"] == "/api" or scope["path"].startswith("/api/")):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            caller = await self._authenticate(scope["method"], headers)
            if caller is not None and scope["path"] not in _SCOPE_FREE_PATHS:
                caller.require_scope("read" if scope["method"] in _SAFE_METHODS else "write")
        except ApiError as refusal:
            await responses.failure(refusal)(scope, receive, send)
            return
        except errors.TransientError as error:
            await responses.database_unavailable(error)(scope, receive, send)
            return
        if caller is None:
            await _UNAUTHORIZED(scope, receive, send)
            return
        scope.setdefault("state", {})[_CALLER_KEY] = caller
        if scope["method"] in _SAFE_METHODS or scope["path"] in _SCOPE_FREE_PATHS:
            await self.app(scope, receive, send)
        else:
            await self._audit(caller, scope, receive, send)

    async def _audit(self, caller: Caller, scope: Scope, receive: Receive, send: Send) -> None:
        """What changes something is written down before its answer goes out."""

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                try:
                    await self._authenticator.record_audit(
                        caller.name, scope["method"], scope["path"], message["status"]
                    )
                except errors.StoreError as error:
                    # It is done already: an answer that says otherwise would be the greater harm.
                    log.error("a change is not in the audit log: %s", error)  # noqa: TRY400 - it says it all
            await send(message)

        await self.app(scope, receive, noting)

    async def _authenticate(self, method: str, headers: Headers) -> Caller | None:
        """Whose token, or else whose cookie it is; raises Refusal for what another site may be behind."""
        authorization = headers.get("authorization")
        if authorization is None:
            ticket = self._cookies.decode(headers, time.time())
            if ticket is None:
                return None
            self._cookies.check_csrf(ticket, method, headers)
            if await self._authenticator.is_signed_out(ticket.nonce):
                return None
            found = BOOTSTRAP_CALLER
            if ticket.token_id is not None:
                found = _caller_from_token(await self._authenticator.find_by_id(ticket.token_id))
            return found and replace(found, sign_in_nonce=ticket.nonce)
        kind, _, bearer = authorization.partition(" ")
        if kind.lower() != "bearer":
            return None
        if hmac.compare_digest(bearer.strip().encode(), self._bootstrap_token):
            return BOOTSTRAP_CALLER
        return _caller_from_token(await self._authenticator.authenticate(bearer.strip()))


def _caller_from_token(token: Token | None) -> Caller | None:
    return None if token is None else Caller(token.name, token.session_ids, token.scopes, token.token_id)


_UNAUTHORIZED = responses.failure(
    ApiError(
        401,
        "unauthorized",
        "This needs a valid token: Authorization: Bearer <token>.",
        {"www-authenticate": 'Bearer realm="api"'},
    )
)


def caller(request: Request) -> Caller:
    """Whose request it is."""
    found: object = request.scope["state"][_CALLER_KEY]
    assert isinstance(found, Caller)
    return found
