"""`GET /openapi.json`: serves the description of the API."""

import json

from starlette.requests import Request
from starlette.responses import Response

from api.http import responses
from api.http.public_page import PublicPage
from api.openapi import naming, operations, people_schemas, reference, schemas
from api.openapi.paths import (
    annotations_paths,
    auth_paths,
    chats_paths,
    live_paths,
    operations_paths,
    people_paths,
    push_paths,
    sending_paths,
)

PATHS, _SCHEMAS = naming.add_names(
    chats_paths.PATHS
    | annotations_paths.PATHS
    | operations_paths.PATHS
    | live_paths.PATHS
    | people_paths.PATHS
    | auth_paths.PATHS
    | sending_paths.PATHS
    | push_paths.PATHS
    | reference.PATHS,
    schemas.SCHEMAS | people_schemas.SCHEMAS,
)
_CONTENT: dict[str, object] = {
    "openapi": "3.1.0",
    "info": {
        "title": "WhatsApp history",
        "version": "1",
        "description": "Every path that supports GET also supports HEAD.",
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    },
    "servers": [{"url": "/", "description": "The server of this document."}],
    "tags": [{"name": name, "description": description} for name, description in operations.TAGS],
    "security": [{"bearer": []}],
    "paths": PATHS,
    "components": {"schemas": _SCHEMAS, "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}},
}
DOCUMENT = json.dumps(_CONTENT)
_OPENAPI = PublicPage.of(DOCUMENT.encode(), {"content-type": responses.JSON_MEDIA_TYPE})
_REFERENCE = reference.page(_CONTENT)


async def get_openapi(request: Request) -> Response:
    return _OPENAPI.response(request)


async def get_reference(request: Request) -> Response:
    """Respond with the same description as a page for people."""
    return _REFERENCE.response(request)
