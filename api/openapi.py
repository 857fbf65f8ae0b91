"""`GET /openapi.json`: what the API takes and gives, for programs that read such things."""

import json

from starlette.requests import Request
from starlette.responses import Response

from api import calls, envelope, livecalls, nouns, sendschema
from api.describing import Schema

SCHEMAS: Schema = nouns.SCHEMAS | sendschema.SCHEMAS
DOCUMENT = json.dumps(
    {
        "openapi": "3.1.0",
        "info": {
            "title": "WhatsApp history",
            "version": "1",
            "description": "HEAD is answered wherever GET is.",
        },
        "security": [{"bearer": []}],
        "paths": calls.PATHS | livecalls.PATHS | sendschema.PATHS,
        "components": {"schemas": SCHEMAS, "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}},
    }
)


def openapi(_: Request) -> Response:
    return Response(DOCUMENT, media_type=envelope.JSON)
