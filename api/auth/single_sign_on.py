"""`/sign-in/…`: signs people in at an OpenID Connect provider and gives them a sign-in cookie.

A cookie contains the seed of each attempt, from which its state, nonce and code verifier are derived. Only the browser
that started an attempt can finish it, within ten minutes. Requests cannot choose the address that the browser is
redirected to.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from typing import TypeVar

import anyio
import anyio.to_thread
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.auth import sign_in
from api.auth.cookies import SignIn, SignInCookies, find
from api.auth.failed_attempts import FailedAttempts
from api.http import database, responses
from api.http.errors import ApiError
from api.oidc.errors import InvalidResponseError, ProviderUnavailableError, SignInError
from api.oidc.provider import Attempt, Person, Provider
from store.access import people
from store.postgres.connections import Connection
from store.postgres.errors import TransientError

T = TypeVar("T")

log = logging.getLogger(__name__)

_ATTEMPT_SECONDS = 600
_MAX_CALLS = 4
"""The number of concurrent calls to the provider, so that a slow provider does not occupy all threads of the api."""
_MAX_WAIT_SECONDS = 10.0
_PATH = "/sign-in"
_PER_MINUTE = 600
"""The number of requests per minute that a person may make."""


class SingleSignOn:
    """The provider, and limits on the work that strangers can cause."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.failures = FailedAttempts()
        self._slots = asyncio.Semaphore(_MAX_CALLS)
        self._limiter = anyio.CapacityLimiter(_MAX_CALLS)

    def require_attempt_allowed(self, client_address: str) -> None:
        """Raise ProviderUnavailableError if too many attempts from this client address have failed."""
        if self.failures.wait_seconds(client_address, ""):
            raise ProviderUnavailableError("too many failed attempts came from this address")

    async def call(self, function: Callable[[], T]) -> T:
        """Run the function in a thread.

        Raises its errors, and ProviderUnavailableError if no thread becomes free in time.
        """
        try:
            async with asyncio.timeout(_MAX_WAIT_SECONDS):
                await self._slots.acquire()
        except TimeoutError as error:
            raise ProviderUnavailableError("too many people sign in at once") from error
        try:
            return await anyio.to_thread.run_sync(function, limiter=self._limiter)
        finally:
            self._slots.release()


async def get_sign_in_options(request: Request) -> Response:
    """Respond with the ways to sign in other than with a token."""
    return responses.success_object(
        {"single_sign_on": request.app.state.single_sign_on is not None}, responses.NO_STORE
    )


async def start_single_sign_on(request: Request) -> Response:
    """Redirect the browser to the provider."""
    single_sign_on, cookies = _single_sign_on(request), sign_in.cookies_of(request)
    seed = secrets.token_hex(16)
    try:
        single_sign_on.require_attempt_allowed(_client_address(request))
        attempt = _attempt(cookies, seed)
        url = await single_sign_on.call(lambda: single_sign_on.provider.authorization_url(attempt))
    except SignInError as error:
        return _failure_response(error)
    response = RedirectResponse(url, 303, responses.NO_STORE)
    expires_at = int(time.time()) + _ATTEMPT_SECONDS
    response.set_cookie(
        _cookie_name(cookies),
        f"{seed}.{expires_at}.{cookies.derive('attempt', f'{seed}.{expires_at}')}",
        max_age=_ATTEMPT_SECONDS,
        path=_PATH,
        httponly=True,
        # The browser comes back by a redirect from the provider's page.
        samesite="lax",
        secure=sign_in.is_secure(request),
    )
    return response


async def finish_single_sign_on(request: Request) -> Response:
    """Set the cookie of the person whom the provider identified, and show the dashboard."""
    single_sign_on, cookies = _single_sign_on(request), sign_in.cookies_of(request)
    try:
        person = await _identify_person(request, single_sign_on)
    except SignInError as error:
        single_sign_on.failures.record_failure(_client_address(request))
        return _failure_response(error)

    def record(connection: Connection) -> int:
        return people.sign_in(connection, person.subject, person.name, person.scopes, _PER_MINUTE)

    try:
        token_id = await anyio.to_thread.run_sync(database.from_request(request).write, record)
    except TransientError as error:
        log.warning("database unavailable: %s", error)
        return _failure_response(ProviderUnavailableError("the database is unavailable"))
    until = int(time.time()) + single_sign_on.provider.settings.sign_in_seconds
    response = RedirectResponse("/", 303, responses.NO_STORE)
    sign_in.set_cookie(request, response, SignIn(token_id, secrets.token_hex(8), until))
    response.delete_cookie(_cookie_name(cookies), path=_PATH, httponly=True, samesite="lax")
    return response


async def _identify_person(request: Request, single_sign_on: SingleSignOn) -> Person:
    single_sign_on.require_attempt_allowed(_client_address(request))
    attempt = _current_attempt(request)
    if attempt is None:
        raise InvalidResponseError("this browser started no attempt, or it took too long")
    if len(request.query_params.multi_items()) != len(request.query_params):
        raise InvalidResponseError("a parameter is given twice")
    response = dict(request.query_params)
    return await single_sign_on.call(lambda: single_sign_on.provider.sign_in(attempt, response))


def _current_attempt(request: Request) -> Attempt | None:
    cookies = sign_in.cookies_of(request)
    seed, _, rest = find(request.headers, _cookie_name(cookies)).partition(".")
    expires_at, _, signature = rest.partition(".")
    if not secrets.compare_digest(signature.encode(), cookies.derive("attempt", f"{seed}.{expires_at}").encode()):
        return None
    return _attempt(cookies, seed) if time.time() < int(expires_at) else None


def _attempt(cookies: SignInCookies, seed: str) -> Attempt:
    return Attempt(*(cookies.derive(purpose, seed) for purpose in ("state", "nonce", "code verifier")))


def _failure_response(error: SignInError) -> Response:
    """Redirect to the dashboard, whose sign-in page shows the reason."""
    log.warning("single sign-on: %s", error)
    return RedirectResponse(f"/#refused={error.code}", 303, responses.NO_STORE)


def _single_sign_on(request: Request) -> SingleSignOn:
    single_sign_on: SingleSignOn | None = request.app.state.single_sign_on
    if single_sign_on is None:
        raise ApiError(404, "not_found", "Single sign-on is not configured.")
    return single_sign_on


def _cookie_name(cookies: SignInCookies) -> str:
    return f"{cookies.name}_attempt"


def _client_address(request: Request) -> str:
    return request.client.host if request.client else ""
