"""`GET /openapi.json`: what the API takes and gives, for programs that read such things."""

import json

from starlette.requests import Request
from starlette.responses import Response

from api.http import responses
from api.openapi import chats_paths, live_paths, schemas, sending_paths
from api.openapi.builders import Schema

SCHEMAS: Schema = schemas.SCHEMAS | sending_paths.SCHEMAS
DOCUMENT = json.dumps(
    {
        "openapi": "3.1.0",
        "info": {
            "title": "WhatsApp history",
            "version": "1",
            "description": "HEAD is answered wherever GET is.",
        },
        "security": [{"bearer": []}],
        "paths": chats_paths.PATHS | live_paths.PATHS | sending_paths.PATHS,
        "components": {"schemas": SCHEMAS, "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}},
    }
)


def get_openapi(_: Request) -> Response:
    return Response(DOCUMENT, media_type=responses.JSON_MEDIA_TYPE)
