"""Serves `/api/push`, which subscribes devices to notifications of new messages and unsubscribes them."""

from datetime import UTC, datetime
from typing import cast

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from api.auth import access
from api.auth.cookies import SignInCookies
from api.http import database, errors, parameters, request_body, responses
from api.http.errors import ApiError
from api.push import encryption, endpoints
from api.push.settings import PushSettings
from store.access import push_subscriptions
from store.access.push_subscriptions import Subscription
from store.reading import news

MAX_MUTED = 500
_MAX_BODY_BYTES = 128 * 1024
_NOT_CONFIGURED = ApiError(404, "push_not_configured", "This server notifies no device: PUSH_KEY is not set.")


def get_key(request: Request) -> Response:
    """Return the key with which a browser subscribes, or null if notifications are not configured."""
    settings: PushSettings | None = request.app.state.push_settings
    return responses.success_object({"key": None if settings is None else settings.key.public})


async def subscribe(request: Request) -> Response:
    """Add or renew a device of the caller."""
    body = await request_body.read(request, _MAX_BODY_BYTES)
    return await run_in_threadpool(_subscribe, request, body)


async def unsubscribe(request: Request) -> Response:
    """Remove a device. Everyone who knows its endpoint may remove it."""
    endpoint = _parse_text(await request_body.read_object(request, _MAX_BODY_BYTES), "endpoint")
    if len(endpoint) > endpoints.MAX_LENGTH:
        raise errors.bad_parameter(f"endpoint must have at most {endpoints.MAX_LENGTH} characters.")
    return await run_in_threadpool(_unsubscribe, request, endpoint)


def _subscribe(request: Request, body: bytes) -> Response:
    settings: PushSettings | None = request.app.state.push_settings
    if settings is None:
        raise _NOT_CONFIGURED
    fields = request_body.parse_object(body)
    endpoint = _parse_text(fields, "endpoint")
    if not endpoints.is_allowed(endpoint, settings.hosts):
        raise errors.bad_parameter("endpoint must be an https URL of a push service in PUSH_HOSTS.")
    p256dh, auth = _parse_key(fields, "p256dh"), _parse_key(fields, "auth")
    if not encryption.is_public_key(p256dh) or len(auth) != 16:
        raise errors.bad_parameter("p256dh and auth must be the keys of the browser's subscription.")
    caller = access.caller(request)
    # A notification may contain the text of a message.
    caller.require_scope("read")
    subscription = Subscription(
        endpoint,
        p256dh,
        auth,
        caller.token_id,
        caller.sign_in_nonce,
        shows_text=_parse_flag(fields, "text"),
        has_sound=_parse_flag(fields, "sound"),
    )
    muted = _parse_muted(fields)
    until = caller.signed_in_until
    with database.from_request(request).write_pool.connection() as connection:
        news.begin(connection)
        push_subscriptions.save(
            connection,
            subscription,
            signing_mark=signing_mark(request.app.state.cookies),
            muted=muted,
            visible=caller.sessions,
            ends_at=None if until is None else datetime.fromtimestamp(until, UTC),
        )
    return responses.success("{}", responses.NO_STORE)


def signing_mark(cookies: SignInCookies) -> str:
    """Return a value that stands for API_TOKEN. If API_TOKEN changes, all sign-ins and their devices end."""
    return cookies.derive("push", "")


def _unsubscribe(request: Request, endpoint: str) -> Response:
    database.from_request(request).write(lambda connection: push_subscriptions.remove(connection, [endpoint]))
    return responses.success("{}", responses.NO_STORE)


def _parse_text(fields: dict[str, object], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value or not parameters.is_storable(value):
        raise errors.bad_parameter(f"{name} must be a text.")
    return value


def _parse_flag(fields: dict[str, object], name: str) -> bool:
    value = fields.get(name, False)
    if not isinstance(value, bool):
        raise errors.bad_parameter(f"{name} must be true or false.")
    return value


def _parse_key(fields: dict[str, object], name: str) -> bytes:
    try:
        return encryption.decode(_parse_text(fields, name))
    except ValueError as error:
        raise errors.bad_parameter(f"{name} must be base64 for URLs.") from error


def _parse_muted(fields: dict[str, object]) -> list[tuple[str, str]]:
    """Return the sessions and addresses of the chats that the device has muted."""
    value = fields.get("muted", [])
    chats = cast("list[object]", value) if isinstance(value, list) else None
    if chats is None or len(chats) > MAX_MUTED:
        raise errors.bad_parameter(f"muted must be a list of {MAX_MUTED} chats at most.")
    found: list[tuple[str, str]] = []
    for chat in chats:
        if not isinstance(chat, dict):
            raise errors.bad_parameter("A muted chat is an object with session_id and address.")
        named = cast("dict[str, object]", chat)
        found.append((_parse_text(named, "session_id"), _parse_text(named, "address")))
    return found
