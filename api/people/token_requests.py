"""Parses the requests that create and change tokens. Nobody can grant more than they have."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast

from api.auth.callers import Caller
from api.http import errors, parameters
from api.http.errors import ApiError
from store.access import tokens

DEFAULT_PER_MINUTE = 600
MAX_PER_MINUTE = 1_000_000
MAX_SESSIONS = 1000
MAX_SESSION_LENGTH = 256
MAX_PAGE_LENGTH = 512
PAGE_PATTERN = r"^https?://[^\s#?]+/$"
_MAX_LIFETIME = timedelta(days=36_525)


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """The properties of a new token."""

    name: str
    scopes: frozenset[str]
    session_ids: tuple[str, ...] | None
    """Sessions and phones of accounts, or None for all sessions."""
    per_minute: int | None
    expires_at: datetime | None
    page: str | None
    """The address of the dashboard for the sign-in link, or None if no link is wanted."""


def parse(fields: Mapping[str, object], caller: Caller) -> TokenRequest:
    """Return the request in the fields of a body.

    Raises ApiError if it asks for rights that the caller does not have.
    """
    request = TokenRequest(
        _parse_name(fields.get("name")),
        _parse_scopes(fields.get("scopes", ["read"])),
        _parse_sessions(fields.get("sessions")),
        _parse_per_minute(fields.get("per_minute", min(DEFAULT_PER_MINUTE, caller.per_minute or DEFAULT_PER_MINUTE))),
        parse_expiry(fields["expires_at"]) if "expires_at" in fields else caller.expires_at,
        _parse_page(fields.get("page")),
    )
    require_within(caller, request.scopes, request.session_ids, request.per_minute)
    require_lifetime_within(caller, request.expires_at)
    return request


def require_within(
    caller: Caller, scopes: frozenset[str], session_ids: tuple[str, ...] | None, per_minute: int | None
) -> None:
    """Raise ApiError unless the caller has all of these rights."""
    if not scopes <= caller.scopes:
        missing = ", ".join(sorted(scopes - caller.scopes))
        raise _excess_error(f"the scope {missing}")
    if caller.sessions is not None:
        own = caller.directory.names_within(caller.sessions)
        if session_ids is None or not own.issuperset(session_ids):
            raise _excess_error("other sessions")
    if caller.per_minute is not None and (per_minute is None or per_minute > caller.per_minute):
        raise _excess_error(f"more than {caller.per_minute} requests a minute")


def require_lifetime_within(caller: Caller, expires_at: datetime | None) -> None:
    """Raise ApiError if a token that expires at this time would outlive the caller's own."""
    if caller.expires_at is not None and (expires_at is None or expires_at > caller.expires_at):
        raise _excess_error("a later expiry")


def parse_expiry(value: object) -> datetime | None:
    """Return a future time, given as in a query. Raises ApiError."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise errors.bad_parameter("expires_at must be a time: ISO 8601, or null.")
    milliseconds = parameters.parse_timestamp("expires_at", value)
    now = datetime.now(UTC)
    if not now.timestamp() * 1000 < milliseconds <= (now + _MAX_LIFETIME).timestamp() * 1000:
        raise errors.bad_parameter("expires_at must be in the future, within a hundred years.")
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _excess_error(excess: str) -> ApiError:
    return ApiError(403, "more_than_own", f"Your own token does not have {excess}, so it cannot give that.")


def _parse_name(value: object) -> str:
    if not isinstance(value, str) or not parameters.is_storable(value):
        raise errors.bad_request("bad_token_name", "name must be a text.")
    return value


def _parse_scopes(value: object) -> frozenset[str]:
    values = cast("list[object]", value) if isinstance(value, list) else []
    if not values or not all(isinstance(scope, str) and scope in tokens.SCOPES for scope in values):
        raise errors.bad_parameter(f"scopes must be a list of some of {', '.join(tokens.SCOPES)}.")
    return frozenset(cast("list[str]", values))


def _parse_sessions(value: object) -> tuple[str, ...] | None:
    if value is None:
        return None
    values = cast("list[object]", value) if isinstance(value, list) else []
    if not 1 <= len(values) <= MAX_SESSIONS or not all(_is_session(session) for session in values):
        raise errors.bad_parameter(f"sessions must be null or a list of 1 to {MAX_SESSIONS} sessions.")
    return tuple(dict.fromkeys(cast("list[str]", values)))


def _is_session(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_SESSION_LENGTH and parameters.is_storable(value)


def _parse_per_minute(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_PER_MINUTE:
        raise errors.bad_parameter(f"per_minute must be null or a whole number from 1 to {MAX_PER_MINUTE}.")
    return value


def _parse_page(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > MAX_PAGE_LENGTH or not re.fullmatch(PAGE_PATTERN, value):
        raise errors.bad_parameter("page must be the address of the dashboard: http(s)://…/")
    return value
