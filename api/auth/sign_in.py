"""`/api/session`: signs a dashboard in and out, exchanging its token for a cookie."""

import secrets
import time

from starlette.requests import Request
from starlette.responses import Response

from api.auth import access
from api.auth.cookies import LIFETIME_SECONDS, SignIn, SignInCookies
from api.http import database, responses
from api.http.errors import ApiError
from store.access import push_subscriptions, signouts


def sign_in(request: Request) -> Response:
    """Set a cookie for the caller's token, and respond with the caller's name, scopes and sessions."""
    if "authorization" not in request.headers:
        raise ApiError(400, "token_missing", "Signing in requires the token: Authorization: Bearer <token>.")
    return _sign_in_response(request, SignIn(access.caller(request).token_id, secrets.token_hex(8)))


def get_sign_in(request: Request) -> Response:
    """Respond with the caller who is signed in, and renew the cookie."""
    current = None if "authorization" in request.headers else cookies_of(request).decode(request.headers, time.time())
    return _sign_in_response(
        request, current or SignIn(access.caller(request).token_id, secrets.token_hex(8)), renew=current is not None
    )


def sign_out(request: Request) -> Response:
    """Delete the cookie and end its sign-in, so that copies of the cookie are invalid, too."""
    cookies = cookies_of(request)
    current = cookies.decode(request.headers, time.time())
    if current is not None:
        with database.from_request(request).write_pool.connection() as connection:
            signouts.record(connection, current.nonce, LIFETIME_SECONDS)
            push_subscriptions.remove_of_sign_in(connection, current.nonce)
    response = responses.success("{}", responses.NO_STORE)
    response.delete_cookie(cookies.name, path="/api", httponly=True, samesite="strict", secure=is_secure(request))
    return response


def cookies_of(request: Request) -> SignInCookies:
    cookies: SignInCookies = request.app.state.cookies
    return cookies


def _sign_in_response(request: Request, current: SignIn, *, renew: bool = True) -> Response:
    caller, cookies = access.caller(request), cookies_of(request)
    fields = {
        "name": caller.name,
        "scopes": sorted(caller.scopes),
        "sessions": None if caller.sessions is None else list(caller.sessions),
        "csrf": cookies.csrf_token(current),
    }
    response = responses.success_object(fields, responses.NO_STORE)
    if renew:
        set_cookie(request, response, current)
    return response


def set_cookie(request: Request, response: Response, current: SignIn) -> None:
    """Add the cookie of the sign-in to the response."""
    cookies = cookies_of(request)
    response.set_cookie(
        cookies.name,
        cookies.encode(current, time.time()),
        max_age=LIFETIME_SECONDS,
        path="/api",
        httponly=True,
        samesite="strict",
        secure=is_secure(request),
    )


def is_secure(request: Request) -> bool:
    """Return whether the browser reaches the api over TLS."""
    return database.from_request(request).settings.is_behind_tls or request.url.scheme == "https"
