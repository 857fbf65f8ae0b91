"""Signing in and out of the dashboard: the token is shown once, and a cookie takes its place."""

import json
import secrets
import time

from starlette.requests import Request
from starlette.responses import Response

from api.auth import access
from api.auth.cookies import LASTS, Cookies, Ticket
from api.http import database, responses
from api.http.errors import Refusal
from store.access import signouts


def sign_in(request: Request) -> Response:
    """A cookie for the bearer of a token, and what the caller may do."""
    if "authorization" not in request.headers:
        raise Refusal(400, "token_missing", "Signing in needs the token: Authorization: Bearer <token>.")
    return _welcome(request, Ticket(access.caller(request).token_id, secrets.token_hex(8)))


def signed_in(request: Request) -> Response:
    """Who is signed in; a cookie lasts anew."""
    ticket = None if "authorization" in request.headers else of(request).read(request.headers, time.time())
    return _welcome(
        request, ticket or Ticket(access.caller(request).token_id, secrets.token_hex(8)), renew=ticket is not None
    )


def sign_out(request: Request) -> Response:
    """Take the cookie back, and end what it signed in: a copy of it is worth nothing any more."""
    ticket = of(request).read(request.headers, time.time())
    if ticket is not None:
        with database.of(request).writes.connection() as connection:
            signouts.end(connection, ticket.nonce, LASTS)
    answer = responses.success("{}", {"cache-control": "no-store"})
    answer.delete_cookie(of(request).name, path="/api", httponly=True, samesite="strict", secure=_is_secure(request))
    return answer


def of(request: Request) -> Cookies:
    cookies: object = request.app.state.cookies
    assert isinstance(cookies, Cookies)
    return cookies


def _welcome(request: Request, ticket: Ticket, *, renew: bool = True) -> Response:
    caller, cookies = access.caller(request), of(request)
    told = {
        "name": caller.name,
        "scopes": sorted(caller.scopes),
        "sessions": None if caller.sessions is None else list(caller.sessions),
        "csrf": cookies.csrf(ticket),
    }
    answer = responses.success(json.dumps(told), {"cache-control": "no-store"})
    if renew:
        answer.set_cookie(
            cookies.name,
            cookies.seal(ticket, time.time()),
            max_age=LASTS,
            path="/api",
            httponly=True,
            samesite="strict",
            secure=_is_secure(request),
        )
    return answer


def _is_secure(request: Request) -> bool:
    return request.url.scheme == "https"
