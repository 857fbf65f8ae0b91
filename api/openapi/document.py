"""`GET /openapi.json`: serves the description of the API."""

import json

from starlette.requests import Request
from starlette.responses import Response

from api.http import responses
from api.openapi import (
    annotations_paths,
    auth_paths,
    chats_paths,
    live_paths,
    operations_paths,
    people_paths,
    people_schemas,
    schemas,
    sending_paths,
)

PATHS = (
    chats_paths.PATHS
    | annotations_paths.PATHS
    | operations_paths.PATHS
    | live_paths.PATHS
    | people_paths.PATHS
    | auth_paths.PATHS
    | sending_paths.PATHS
)
DOCUMENT = json.dumps(
    {
        "openapi": "3.1.0",
        "info": {
            "title": "WhatsApp history",
            "version": "1",
            "description": "Every path that supports GET supports HEAD, too.",
        },
        "security": [{"bearer": []}],
        "paths": PATHS,
        "components": {
            "schemas": schemas.SCHEMAS | people_schemas.SCHEMAS,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }
)


def get_openapi(_: Request) -> Response:
    return Response(DOCUMENT, media_type=responses.JSON_MEDIA_TYPE)
