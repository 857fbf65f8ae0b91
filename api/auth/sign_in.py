"""Signing in and out of the dashboard: the token is shown once, and a cookie takes its place."""

import json
import secrets
import time

from starlette.requests import Request
from starlette.responses import Response

from api.auth import access
from api.auth.cookies import LIFETIME_SECONDS, SignIn, SignInCookies
from api.http import database, responses
from api.http.errors import ApiError
from store.access import signouts


def sign_in(request: Request) -> Response:
    """A cookie for the bearer of a token, and what the caller may do."""
    if "authorization" not in request.headers:
        raise ApiError(400, "token_missing", "Signing in needs the token: Authorization: Bearer <token>.")
    return _sign_in_response(request, SignIn(access.caller(request).token_id, secrets.token_hex(8)))


def get_sign_in(request: Request) -> Response:
    """Who is signed in; a cookie lasts anew."""
    ticket = None if "authorization" in request.headers else cookies_from(request).decode(request.headers, time.time())
    return _sign_in_response(
        request, ticket or SignIn(access.caller(request).token_id, secrets.token_hex(8)), renew=ticket is not None
    )


def sign_out(request: Request) -> Response:
    """Take the cookie back, and end what it signed in: a copy of it is worth nothing any more."""
    ticket = cookies_from(request).decode(request.headers, time.time())
    if ticket is not None:
        with database.from_request(request).write_pool.connection() as connection:
            signouts.record(connection, ticket.nonce, LIFETIME_SECONDS)
    answer = responses.success("{}", {"cache-control": "no-store"})
    answer.delete_cookie(
        cookies_from(request).name, path="/api", httponly=True, samesite="strict", secure=_is_secure(request)
    )
    return answer


def cookies_from(request: Request) -> SignInCookies:
    cookies: object = request.app.state.cookies
    assert isinstance(cookies, SignInCookies)
    return cookies


def _sign_in_response(request: Request, current: SignIn, *, renew: bool = True) -> Response:
    caller, cookies = access.caller(request), cookies_from(request)
    told = {
        "name": caller.name,
        "scopes": sorted(caller.scopes),
        "sessions": None if caller.sessions is None else list(caller.sessions),
        "csrf": cookies.csrf_token(current),
    }
    answer = responses.success(json.dumps(told), {"cache-control": "no-store"})
    if renew:
        answer.set_cookie(
            cookies.name,
            cookies.encode(current, time.time()),
            max_age=LIFETIME_SECONDS,
            path="/api",
            httponly=True,
            samesite="strict",
            secure=_is_secure(request),
        )
    return answer


def _is_secure(request: Request) -> bool:
    return request.url.scheme == "https"
