"""Authenticates every request under /api, checks its scope, and records changes in the audit log."""

import contextlib
import hmac
import logging
import time
from collections.abc import Sequence
from dataclasses import replace

from starlette.datastructures import Headers, QueryParams
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.auth.callers import BOOTSTRAP_CALLER, Caller
from api.auth.concurrency import ConcurrencyLimiter
from api.auth.cookies import SAFE_METHODS, SignInCookies
from api.auth.failed_attempts import FailedAttempts
from api.auth.tokens import AuditSubjects, TokenAuthenticator
from api.http import parameters, responses
from api.http.errors import ApiError
from store.postgres import errors

_CALLER_KEY = "caller"
_AUDITED_CHATS_KEY = "audited_chats"
_AUDITED_TOKEN_KEY = "audited_token"  # noqa: S105 - not a secret
_NO_ROUTE = "(no such path)"
_SCOPE_FREE_PATHS = frozenset({"/api/session", "/api/push"})
"""Paths for which any scope suffices, because they change only the caller's own cookie and devices."""

_PUBLIC_PATHS = frozenset({"/api/docs"})
_READING_PATHS = frozenset({"/api/stream-tickets"})
"""A POST that only prepares a read. It needs the scope `read` and is not audited."""
_STREAM_PATH, _SEND_PATH = "/api/stream", "/api/send"
_SLOW_PATHS = frozenset({"/api/search", "/api/stats", "/api/ledger"})

log = logging.getLogger(__name__)


class AuthMiddleware:
    """The middleware that rejects requests under /api without a valid token or sign-in cookie."""

    def __init__(  # noqa: PLR0913, PLR0917 - its collaborators; Starlette passes them by position
        self,
        app: ASGIApp,
        bootstrap_token: str,
        cookies: SignInCookies,
        tokens: TokenAuthenticator,
        failed_attempts: FailedAttempts,
        pool_size: int,
    ) -> None:
        self.app = app
        self._requests = ConcurrencyLimiter(max(2, pool_size // 2))
        self._slow_requests = ConcurrencyLimiter(max(1, pool_size // 4))
        self._failed_attempts = failed_attempts
        self._bootstrap_token = bootstrap_token.encode()
        self._tokens = tokens
        self._cookies = cookies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _is_guarded(scope["path"]):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            caller = await self._authenticate(scope, headers)
            if caller is not None and scope["path"] not in _SCOPE_FREE_PATHS:
                caller.require_scope("read" if _is_read(scope) else "write")
        except ApiError as error:
            await responses.failure(error)(scope, receive, send)
            return
        except errors.TransientError as error:
            await responses.handle_transient_error(Request(scope), error)(scope, receive, send)
            return
        if caller is None:
            await _UNAUTHORIZED(scope, receive, send)
            return
        caller = caller.with_accounts(await self._tokens.accounts.current())
        scope.setdefault("state", {})[_CALLER_KEY] = caller
        async with contextlib.AsyncExitStack() as slots:
            try:
                if not _has_own_limit(scope["path"]):
                    if scope["path"] in _SLOW_PATHS:
                        await slots.enter_async_context(self._slow_requests.slot(caller.token_id))
                    await slots.enter_async_context(self._requests.slot(caller.token_id))
            except ApiError as error:
                await responses.failure(error)(scope, receive, send)
                return
            if _is_read(scope) or scope["path"] in _SCOPE_FREE_PATHS:
                await self.app(scope, receive, send)
            else:
                await self._audit(caller, scope, receive, send)

    async def _audit(self, caller: Caller, scope: Scope, receive: Receive, send: Send) -> None:
        """Record the request in the audit log before its response goes out."""

        async def record_then_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                try:
                    route = getattr(scope.get("route"), "path", _NO_ROUTE)
                    subjects = AuditSubjects(
                        scope["state"].get(_AUDITED_CHATS_KEY, ()), scope["state"].get(_AUDITED_TOKEN_KEY)
                    )
                    await self._tokens.record_audit(caller.name, scope["method"], route, message["status"], subjects)
                except errors.StoreError as error:
                    # The change is committed, so a response that reports a failure would be wrong.
                    log.error("audit record failed: %s", error)  # noqa: TRY400 - the traceback adds nothing
            await send(message)

        await self.app(scope, receive, record_then_send)

    async def _authenticate(self, scope: Scope, headers: Headers) -> Caller | None:
        """Return the caller by token or else by cookie. Raises ApiError if another site may have caused the request."""
        method: str = scope["method"]
        client_address = scope["client"][0] if scope.get("client") else ""
        authorization = headers.get("authorization")
        if authorization is None and scope["path"] == _STREAM_PATH and method == "GET":
            tickets = QueryParams(scope["query_string"]).getlist("ticket")
            if tickets:
                self._failed_attempts.require_allowed(client_address)
                caller = await self._find_ticket_holder(tickets)
                if caller is None:
                    self._failed_attempts.record_failure(client_address)
                return caller
        if authorization is None:
            sign_in = self._cookies.decode(headers, time.time())
            if sign_in is None:
                return None
            self._cookies.check_csrf(sign_in, method, headers)
            if await self._tokens.is_signed_out(sign_in.nonce):
                return None
            return await self._find_by_id(sign_in.token_id, sign_in.nonce, sign_in.until)
        kind, _, bearer = authorization.partition(" ")
        if kind.lower() != "bearer":
            return None
        self._failed_attempts.require_allowed(client_address, bearer)
        caller = await self._find_bearer(bearer.strip())
        if caller is None:
            self._failed_attempts.record_failure(client_address, bearer)
        else:
            self._failed_attempts.record_success(bearer)
        return caller

    async def _find_ticket_holder(self, tickets: list[str]) -> Caller | None:
        holder = await self._tokens.redeem_ticket(tickets[0]) if len(tickets) == 1 else None
        if holder is None or (holder.sign_in_nonce and await self._tokens.is_signed_out(holder.sign_in_nonce)):
            return None
        return await self._find_by_id(holder.token_id, holder.sign_in_nonce, holder.signed_in_until)

    async def _find_by_id(self, token_id: int | None, nonce: str | None, until: int | None) -> Caller | None:
        caller = BOOTSTRAP_CALLER
        if token_id is not None:
            token = await self._tokens.find_by_id(token_id)
            if token is None:
                return None
            caller = Caller.of_token(token)
        return replace(caller, sign_in_nonce=nonce, signed_in_until=until)

    async def _find_bearer(self, bearer: str) -> Caller | None:
        if hmac.compare_digest(bearer.encode(), self._bootstrap_token):
            return BOOTSTRAP_CALLER
        token = await self._tokens.authenticate(bearer)
        return None if token is None else Caller.of_token(token)


def _is_guarded(path: str) -> bool:
    return path == "/api" or (path.startswith("/api/") and path not in _PUBLIC_PATHS)


def _is_read(scope: Scope) -> bool:
    return scope["method"] in SAFE_METHODS or scope["path"] in _READING_PATHS


def _has_own_limit(path: str) -> bool:
    """Return whether the path is that of a stream, an export or a send, which take long and have their own threads."""
    return path in {_STREAM_PATH, _SEND_PATH} or path.endswith("/export")


_CHALLENGE = {"www-authenticate": 'Bearer realm="api"'}
_UNAUTHORIZED = responses.failure(
    ApiError(401, "unauthorized", "A valid token is required: Authorization: Bearer <token>.", _CHALLENGE)
)


def caller(request: Request) -> Caller:
    """Return the authenticated caller of a request under /api."""
    authenticated: Caller = request.scope["state"][_CALLER_KEY]
    return authenticated


def requested_sessions(request: Request) -> tuple[str, ...] | None:
    """Return the visible sessions in the account of `session_id` in the query, or all if the query does not have it.

    None means all sessions in the database.
    """
    return caller(request).visible_sessions(parameters.text(request, "session_id"))


def set_audited_chats(request: Request, chat_ids: Sequence[int]) -> None:
    """Set the canonical chats that the audit log records for the request."""
    request.scope["state"][_AUDITED_CHATS_KEY] = chat_ids


def set_audited_token(request: Request, token_id: int) -> None:
    """Set the token that the request creates, changes or revokes, for the audit log."""
    request.scope["state"][_AUDITED_TOKEN_KEY] = token_id
