"""Builds responses: `{"success":true,"data":…}` for success and `{"success":false,"error":…,"code":…}` for errors."""

import json
import logging
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import cast

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route

from api.http.errors import ApiError
from store.model import lines
from store.postgres import errors

log = logging.getLogger(__name__)

JSON_MEDIA_TYPE = "application/json"
NO_STORE: Mapping[str, str] = {"cache-control": "no-store"}
_RETRY_AFTER_SECONDS = "2"
"""The value of Retry-After in seconds. A restart of PostgreSQL takes about this long."""

_HTTP_ERRORS = {
    400: ("bad_request", "The request cannot be read."),
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not support this method; the Allow header lists those it does."),
}


def success(data_json: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return a success response around JSON text, with its line separators escaped."""
    return Response(b'{"success":true,"data":%b}' % _encode(data_json), media_type=JSON_MEDIA_TYPE, headers=headers)


def success_object(fields: Mapping[str, object], headers: Mapping[str, str] | None = None) -> Response:
    """Return a success response around an object with these fields."""
    return success(json.dumps(fields, ensure_ascii=False), headers)


def success_with_items(before: str, items: Iterable[str], after: str) -> Response:
    """Return a success response around JSON text that consists of `before`, the items with commas, and `after`.

    Each item is encoded by itself, because one emoji makes Python store four bytes per character of its text.
    """
    body = b'{"success":true,"data":%b%b%b}' % (_encode(before), b",".join(map(_encode, items)), _encode(after))
    return Response(body, media_type=JSON_MEDIA_TYPE)


def _encode(json_text: str) -> bytes:
    return lines.escape_json(json_text).encode()


def failure(error: ApiError) -> Response:
    body = json.dumps({"success": False, "error": error.message, "code": error.code}, ensure_ascii=False)
    return Response(body, error.status, headers=error.headers, media_type=JSON_MEDIA_TYPE)


def matches_etag(headers: Headers, etag: str) -> bool:
    """Return whether If-None-Match contains the tag, by weak comparison (RFC 9110, 13.1.2)."""
    tags = {tag.strip().removeprefix("W/") for tag in headers.get("if-none-match", "").split(",")}
    return etag.removeprefix("W/") in tags or "*" in tags


def _handle_api_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return failure(error)


def _handle_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = error.headers
    if error.status_code == 405:
        headers = {"allow": ", ".join(sorted(_allowed_methods(request)))}
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=headers)
    code, sentence = _HTTP_ERRORS.get(error.status_code, ("refused", HTTPStatus(error.status_code).phrase))
    return failure(ApiError(error.status_code, code, sentence, headers))


def _allowed_methods(request: Request) -> set[str]:
    """Return the methods of all routes that match the path. Starlette reports those of only one route."""
    routes = cast("Iterable[BaseRoute]", request.app.routes)
    here = (route for route in routes if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE)
    return {method for route in here for method in route.methods or ()}


def handle_transient_error(_: Request, error: Exception) -> Response:
    """Respond with 503 and Retry-After if PostgreSQL is unreachable or too slow. A later request may succeed."""
    log.warning("database unavailable: %s", error)
    sentence = f"The database is unavailable; try again in {_RETRY_AFTER_SECONDS} seconds."
    return failure(ApiError(503, "database_unavailable", sentence, {"retry-after": _RETRY_AFTER_SECONDS}))


def _handle_unexpected_error(_: Request, __: Exception) -> Response:
    """Respond to an unexpected error. The log has the traceback; the response reveals nothing of it."""
    return failure(ApiError(500, "internal_error", "Internal error; the server's log has the details."))


EXCEPTION_HANDLERS = {
    ApiError: _handle_api_error,
    HTTPException: _handle_http_exception,
    errors.TransientError: handle_transient_error,
    Exception: _handle_unexpected_error,
}
