"""`/api/tokens`: lists, creates, limits and revokes tokens, for admins.

API_TOKEN is not one of them, so it remains valid whatever is revoked here.
"""

import re
from datetime import UTC, datetime

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from api.auth import access
from api.auth.callers import Caller
from api.http import cursors, database, errors, parameters, request_body, responses
from api.http.errors import ApiError
from api.http.timestamps import format_utc
from api.people import sign_in_link, token_requests
from store.access import tokens
from store.access.tokens import Token, TokenNameError, TokenNameTakenError
from store.postgres.connections import Connection

_CURSOR_KIND = "tokens"
_DEFAULT_LIMIT = 50
_TOKEN_ID = re.compile("[1-9][0-9]{0,17}")


def list_tokens(request: Request) -> Response:
    """Respond with a page of tokens within the caller's sessions, newest first, with revoked and expired ones."""
    caller = _require_admin(request)
    limit = parameters.limit(request, _DEFAULT_LIMIT)
    (before,) = cursors.requested(request, "cursor", _CURSOR_KIND, int) or (None,)
    names = None if caller.sessions is None else caller.directory.names_within(caller.sessions)
    found = database.from_request(request).read_primary(
        lambda connection: tokens.list_page(connection, before, limit + 1, names)
    )
    cursor = cursors.encode(_CURSOR_KIND, found[limit - 1].token_id) if len(found) > limit else None
    return _no_store({"tokens": [_token_fields(token) for token in found[:limit]], "cursor": cursor})


async def create_token(request: Request) -> Response:
    """Create a token.

    Respond with 201, its secret (which is never shown again), and the link and QR code for signing in.
    """
    caller = _require_admin(request)
    fields = await request_body.read_object(request)
    wanted = token_requests.parse(fields, caller)

    def create(connection: Connection) -> tuple[str, Token | None]:
        secret = tokens.create(
            connection,
            wanted.name,
            wanted.scopes,
            session_ids=wanted.session_ids,
            per_minute=wanted.per_minute,
            expires_at=wanted.expires_at,
            created_by=caller.name,
        )
        return secret, tokens.find_by_secret(connection, secret)

    try:
        secret, token = await run_in_threadpool(database.from_request(request).write, create)
    except TokenNameTakenError as error:
        raise ApiError(409, "token_name_taken", str(error)) from error
    except TokenNameError as error:
        raise errors.bad_request("bad_token_name", str(error)) from error
    if token is None:
        raise errors.bad_parameter("expires_at has passed.")
    access.set_audited_token(request, token.token_id)
    link = None if wanted.page is None else sign_in_link.build(wanted.page, secret)
    qr = None if link is None else sign_in_link.draw(link)
    response = _no_store(_token_fields(token) | {"token": secret, "link": link, "qr": qr})
    response.status_code = 201
    return response


async def change_token(request: Request) -> Response:
    """Change when an active token expires."""
    caller = _require_admin(request)
    fields = await request_body.read_object(request)
    if "expires_at" not in fields:
        raise errors.bad_parameter("expires_at is missing: a time, or null for never.")
    expires_at = token_requests.parse_expiry(fields["expires_at"])
    token = await run_in_threadpool(_find, request, caller)
    # A longer life extends all rights that the token has.
    token_requests.require_within(caller, token.scopes, token.session_ids, token.per_minute)
    token_requests.require_lifetime_within(caller, expires_at)
    access.set_audited_token(request, token.token_id)
    if not await run_in_threadpool(
        database.from_request(request).write,
        lambda connection: tokens.set_expiry(connection, token.token_id, expires_at),
    ):
        raise ApiError(409, "token_ended", "The token has expired or was revoked: create another one.")
    return _no_store(_token_fields(await run_in_threadpool(_find, request, caller)))


def revoke_token(request: Request) -> Response:
    """Revoke a token. Nothing changes if it is already revoked."""
    caller = _require_admin(request)
    token = _find(request, caller)
    access.set_audited_token(request, token.token_id)
    database.from_request(request).write(lambda connection: tokens.revoke_by_id(connection, token.token_id))
    return _no_store(_token_fields(_find(request, caller)))


def _require_admin(request: Request) -> Caller:
    caller = access.caller(request)
    caller.require_scope("admin")
    return caller


def _find(request: Request, caller: Caller) -> Token:
    """Return the token in the path. Raises ApiError if there is none within the caller's sessions."""
    token_id = request.path_params["id"]
    token = None
    if _TOKEN_ID.fullmatch(token_id):
        token = database.from_request(request).read_primary(lambda connection: tokens.get(connection, int(token_id)))
    if token is None or not _is_visible(token, caller):
        raise ApiError(404, "token_not_found", "There is no token with that id.")
    return token


def _is_visible(token: Token, caller: Caller) -> bool:
    if caller.sessions is None:
        return True
    own = caller.directory.names_within(caller.sessions)
    return token.session_ids is not None and own.issuperset(token.session_ids)


def _no_store(document: dict[str, object]) -> Response:
    return responses.success_object(document, responses.NO_STORE)


def _token_fields(token: Token) -> dict[str, object]:
    return {
        "id": token.token_id,
        "name": token.name,
        "state": _state(token),
        "single_sign_on": token.is_person,
        "scopes": [scope for scope in tokens.SCOPES if scope in token.scopes],
        "sessions": None if token.session_ids is None else list(token.session_ids),
        "per_minute": token.per_minute,
        "created_at": format_utc(token.created_at),
        "created_by": token.created_by,
        "expires_at": format_utc(token.expires_at),
        "last_used_at": format_utc(token.last_used_at),
        "revoked_at": format_utc(token.revoked_at),
    }


def _state(token: Token) -> str:
    if token.revoked_at is not None:
        return "revoked"
    return "expired" if token.expires_at is not None and token.expires_at <= datetime.now(UTC) else "active"
