"""Rejects query parameters that the document does not list for a call, so that a misspelt filter is not ignored."""

from collections.abc import Iterable, Sequence

from starlette.datastructures import QueryParams
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from api.http import errors
from api.openapi import document

_MAX_SHOWN = 64
"""The number of characters of an unknown name that the error repeats."""


def known_to(path: str, method: str) -> Sequence[str]:
    """Return the query parameters of a call in the order of the document."""
    described = document.PATHS[path][method.lower()].get("parameters", ())
    return [parameter["name"] for parameter in described if parameter["in"] == "query"]


def restrict(routes: Iterable[BaseRoute]) -> None:
    """Make the routes described by the document raise ApiError for other parameters."""
    for route in routes:
        if isinstance(route, Route) and route.path in document.PATHS:
            [method] = (route.methods or set()) - {"HEAD"}
            route.app = _UnknownParameterGuard(route.app, known_to(route.path, method))


class _UnknownParameterGuard:
    """An ASGI application that refuses requests with unknown query parameters and passes on the others."""

    def __init__(self, app: ASGIApp, known: Sequence[str]) -> None:
        self.app = app
        self.known = known

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        unknown = [name for name in QueryParams(scope["query_string"]) if name not in self.known]
        if unknown:
            known = f"those of this call are {', '.join(self.known)}" if self.known else "this call takes none"
            raise errors.bad_request("unknown_parameter", f"There is no parameter {unknown[0][:_MAX_SHOWN]}: {known}.")
        await self.app(scope, receive, send)
