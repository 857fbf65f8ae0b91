"""The two shapes of an answer: `{"success":true,"data":…}` and `{"success":false,"error":…,"code":…}`."""

import json
import logging
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import cast

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route

from api.http.errors import ApiError
from store.postgres import errors

log = logging.getLogger(__name__)

JSON_MEDIA_TYPE = "application/json"
RETRY_AFTER_SECONDS = "2"
"""Seconds. PostgreSQL that restarts is back by then, or the caller is told so again."""

_HTTP_ERRORS = {
    400: ("bad_request", "The request cannot be read."),
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not know this method; Allow names those it knows."),
}


def success(data_json: str, headers: Mapping[str, str] | None = None) -> Response:
    """The answer around a text that is JSON already."""
    return Response(f'{{"success":true,"data":{data_json}}}', media_type=JSON_MEDIA_TYPE, headers=headers)


def failure(error: ApiError) -> Response:
    body = json.dumps({"success": False, "error": error.message, "code": error.code}, ensure_ascii=False)
    return Response(body, error.status, headers=error.headers, media_type=JSON_MEDIA_TYPE)


def handle_api_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return failure(error)


def handle_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = error.headers
    if error.status_code == 405:
        headers = {"allow": ", ".join(sorted(_allowed_methods(request)))}
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=headers)
    code, sentence = _HTTP_ERRORS.get(error.status_code, ("refused", HTTPStatus(error.status_code).phrase))
    return failure(ApiError(error.status_code, code, sentence, headers))


def _allowed_methods(request: Request) -> set[str]:
    """The methods that an address knows, which may be spread over several routes."""
    routes = cast("Iterable[BaseRoute]", request.app.routes)
    here = (route for route in routes if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE)
    return {method for route in here for method in route.methods or ()}


def handle_transient_error(_: Request, error: Exception) -> Response:
    return database_unavailable(error)


def database_unavailable(error: Exception) -> Response:
    """PostgreSQL is away, or does not answer in time: it may the next time, so the answer is 503 and not 500."""
    log.warning("no answer from the database: %s", error)
    return failure(
        ApiError(
            503, "database_unavailable", "The database does not answer just now.", {"retry-after": RETRY_AFTER_SECONDS}
        )
    )


def handle_unexpected_error(_: Request, __: Exception) -> Response:
    """A fault of ours: the log has the traceback, the caller learns nothing of our inside."""
    return failure(ApiError(500, "internal_error", "This is a fault of the server; its log says more."))


EXCEPTION_HANDLERS = {
    ApiError: handle_api_error,
    HTTPException: handle_http_exception,
    errors.TransientError: handle_transient_error,
    Exception: handle_unexpected_error,
}
