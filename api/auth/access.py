"""Who asks: everything under /api bears a token, and a token says which sessions may be seen."""

import hmac
import logging
import time
from dataclasses import dataclass, field, replace

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.auth.cookies import Cookies
from api.auth.tokens import Bearers
from api.http import responses
from api.http.errors import Refusal
from store.access.tokens import Token
from store.postgres import errors

_KEY = "caller"
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_OPEN = frozenset({"/api/session"})
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
    sign_in: str | None = field(default=None, compare=False)
    """The nonce of the cookie, of whoever came with one."""

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
    """Lets requests under /api pass to the application only with a token, or a cookie got for one."""

    def __init__(self, app: ASGIApp, token: str, cookies: Cookies, bearers: Bearers) -> None:
        self.app = app
        self._token = token.encode()
        self._bearers = bearers
        self._cookies = cookies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not (scope["path"] == "/api" or scope["path"].startswith("/api/")):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            caller = await self._caller(scope["method"], headers)
            if caller is not None and scope["path"] not in _OPEN:
                caller.needs("read" if scope["method"] in _READING else "write")
        except Refusal as refusal:
            await responses.refuse(refusal)(scope, receive, send)
            return
        except errors.TransientError as error:
            await responses.absent(error)(scope, receive, send)
            return
        if caller is None:
            await _UNKNOWN(scope, receive, send)
            return
        scope.setdefault("state", {})[_KEY] = caller
        if scope["method"] in _READING or scope["path"] in _OPEN:
            await self.app(scope, receive, send)
        else:
            await self._noted(caller, scope, receive, send)

    async def _noted(self, caller: Caller, scope: Scope, receive: Receive, send: Send) -> None:
        """What changes something is written down before its answer goes out."""

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                try:
                    await self._bearers.note(caller.name, scope["method"], scope["path"], message["status"])
                except errors.StoreError as error:
                    # It is done already: an answer that says otherwise would be the greater harm.
                    log.error("a change is not in the audit log: %s", error)  # noqa: TRY400 - it says it all
            await send(message)

        await self.app(scope, receive, noting)

    async def _caller(self, method: str, headers: Headers) -> Caller | None:
        """Whose token, or else whose cookie it is; raises Refusal for what another site may be behind."""
        authorization = headers.get("authorization")
        if authorization is None:
            ticket = self._cookies.read(headers, time.time())
            if ticket is None:
                return None
            self._cookies.check(ticket, method, headers)
            if await self._bearers.signed_out(ticket.nonce):
                return None
            found = ROOT
            if ticket.token_id is not None:
                found = _of_token(await self._bearers.signed_in(ticket.token_id))
            return found and replace(found, sign_in=ticket.nonce)
        kind, _, bearer = authorization.partition(" ")
        if kind.lower() != "bearer":
            return None
        if hmac.compare_digest(bearer.strip().encode(), self._token):
            return ROOT
        return _of_token(await self._bearers.find(bearer.strip()))


def _of_token(token: Token | None) -> Caller | None:
    return None if token is None else Caller(token.name, token.sessions, token.scopes, token.token_id)


_UNKNOWN = responses.refuse(
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
