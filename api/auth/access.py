"""Authenticates every request under /api, and determines the sessions and scopes of its caller."""

import hmac
import logging
import time
from dataclasses import dataclass, field, replace

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.auth.cookies import SAFE_METHODS, SignInCookies
from api.auth.tokens import TokenAuthenticator
from api.http import responses
from api.http.errors import ApiError
from store.access.tokens import Token
from store.postgres import errors

_CALLER_KEY = "caller"
_SCOPE_FREE_PATHS = frozenset({"/api/session"})
"""Any scope suffices for these: they change only the caller's own cookie."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Caller:
    name: str
    sessions: tuple[str, ...] | None
    """The sessions whose data the caller may see; None: all."""
    scopes: frozenset[str]
    token_id: int | None = None
    """None: the bootstrap token."""
    sign_in_nonce: str | None = field(default=None, compare=False)
    """The nonce of the sign-in cookie; None for a caller with a token."""

    def visible_sessions(self, session_id: str | None) -> tuple[str, ...] | None:
        """The visible ones among the requested session, or (None) all; None means all of the database."""
        if session_id is None:
            return self.sessions
        return (session_id,) if self.sessions is None or session_id in self.sessions else ()

    def require_scope(self, scope: str) -> None:
        if scope not in self.scopes:
            raise ApiError(403, "scope_missing", f"This token lacks the scope {scope}.")


BOOTSTRAP_CALLER = Caller("bootstrap", None, frozenset({"read", "write", "admin"}))


class AuthMiddleware:
    """Rejects requests under /api that have neither a valid token nor a valid sign-in cookie."""

    def __init__(self, app: ASGIApp, bootstrap_token: str, cookies: SignInCookies, tokens: TokenAuthenticator) -> None:
        self.app = app
        self._bootstrap_token = bootstrap_token.encode()
        self._tokens = tokens
        self._cookies = cookies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not (scope["path"] == "/api" or scope["path"].startswith("/api/")):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            caller = await self._authenticate(scope["method"], headers)
            if caller is not None and scope["path"] not in _SCOPE_FREE_PATHS:
                caller.require_scope("read" if scope["method"] in SAFE_METHODS else "write")
        except ApiError as error:
            await responses.failure(error)(scope, receive, send)
            return
        except errors.TransientError as error:
            await responses.handle_transient_error(Request(scope), error)(scope, receive, send)
            return
        if caller is None:
            await _UNAUTHORIZED(scope, receive, send)
            return
        scope.setdefault("state", {})[_CALLER_KEY] = caller
        if scope["method"] in SAFE_METHODS or scope["path"] in _SCOPE_FREE_PATHS:
            await self.app(scope, receive, send)
        else:
            await self._audit(caller, scope, receive, send)

    async def _audit(self, caller: Caller, scope: Scope, receive: Receive, send: Send) -> None:
        """Record the request in the audit log before its response goes out."""

        async def record_then_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                try:
                    await self._tokens.record_audit(caller.name, scope["method"], scope["path"], message["status"])
                except errors.StoreError as error:
                    # The change is committed: a response that reports a failure would be wrong.
                    log.error("audit record failed: %s", error)  # noqa: TRY400 - the traceback adds nothing
            await send(message)

        await self.app(scope, receive, record_then_send)

    async def _authenticate(self, method: str, headers: Headers) -> Caller | None:
        """The caller by token, else by cookie; raises ApiError for a request that another site may have caused."""
        authorization = headers.get("authorization")
        if authorization is None:
            sign_in = self._cookies.decode(headers, time.time())
            if sign_in is None:
                return None
            self._cookies.check_csrf(sign_in, method, headers)
            if await self._tokens.is_signed_out(sign_in.nonce):
                return None
            caller = BOOTSTRAP_CALLER
            if sign_in.token_id is not None:
                caller = _caller_from_token(await self._tokens.find_by_id(sign_in.token_id))
            return caller and replace(caller, sign_in_nonce=sign_in.nonce)
        kind, _, bearer = authorization.partition(" ")
        if kind.lower() != "bearer":
            return None
        if hmac.compare_digest(bearer.strip().encode(), self._bootstrap_token):
            return BOOTSTRAP_CALLER
        return _caller_from_token(await self._tokens.authenticate(bearer.strip()))


def _caller_from_token(token: Token | None) -> Caller | None:
    return None if token is None else Caller(token.name, token.session_ids, token.scopes, token.token_id)


_CHALLENGE = {"www-authenticate": 'Bearer realm="api"'}
_UNAUTHORIZED = responses.failure(
    ApiError(401, "unauthorized", "A valid token is required: Authorization: Bearer <token>.", _CHALLENGE)
)


def caller(request: Request) -> Caller:
    """The authenticated caller of a request under /api."""
    authenticated: Caller = request.scope["state"][_CALLER_KEY]
    return authenticated
