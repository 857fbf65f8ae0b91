"""What `/openapi.json` says of the change feed, of redrives and of signing in."""

from api.openapi.builders import (
    BOOLEAN,
    NO_NUL_PATTERN,
    STRING,
    Schema,
    array_schema,
    error_responses,
    formatted_string,
    get_operation,
    object_schema,
    path_parameter,
    post_operation,
    query_parameter,
    schema_ref,
    success_response,
)
from api.openapi.chats_paths import SESSION_PARAMETER
from api.operations.redrives import MAX_DIGESTS

_FEED_CURSOR = formatted_string("cursor-of-feed", "The id of a change, or a cursor that an answer gave.", 8192)
_REDRIVE_BODY: Schema = {
    "type": "object",
    "properties": {
        "digests": {
            "type": ["array", "null"],
            "items": {"type": "string", "pattern": "^[0-9a-f]{64}$", "minLength": 64, "maxLength": 64},
            "minItems": 1,
            "maxItems": MAX_DIGESTS,
            "description": "As /api/parked tells them; without them: everything that is parked.",
        },
        "reason": {"type": ["string", "null"], "minLength": 1, "pattern": NO_NUL_PATTERN, "description": "Only those."},
    },
}
_REDRIVE_LINK: Schema = {
    "redrive": {
        "operationRef": "#/paths/~1api~1parked~1redrive~1{id}/get",
        "parameters": {"id": "$response.body#/data/id"},
    }
}
_CALLER_RESPONSE = success_response("Who is signed in; the cookie is in Set-Cookie.", schema_ref("Caller"))
PATHS: Schema = {
    "/api/changes": {
        "get": get_operation(
            "What changed since a cursor, oldest first; without one, the cursor that means now.",
            [
                query_parameter("since", _FEED_CURSOR),
                query_parameter("limit", {"type": "integer", "minimum": 1, "maximum": 500}),
                SESSION_PARAMETER,
            ],
            object_schema({"changes": array_schema(schema_ref("Change")), "cursor": STRING, "more": BOOLEAN}),
            410,
        )
    },
    "/api/stream": {
        "get": {
            "summary": "Every change as it happens, as server-sent events; without a cursor, from now on.",
            "parameters": [
                query_parameter("since", _FEED_CURSOR, "For clients that cannot send Last-Event-ID."),
                SESSION_PARAMETER,
                {"name": "Last-Event-ID", "in": "header", "required": False, "schema": _FEED_CURSOR},
            ],
            "responses": {
                "200": {
                    "description": "Events with `id:` and, but for the first, `data:`: a Change without its id.",
                    "content": {"text/event-stream": {"schema": STRING}},
                },
                **error_responses(410),
            },
        }
    },
    "/api/parked/redrive": {
        "post": post_operation(
            "Have what is parked tried again, within seconds, by a worker. Needs the scope admin.",
            [],
            _REDRIVE_BODY,
            {
                "202": success_response(
                    "Written down; an open one of the same choice is the same.", schema_ref("Redrive")
                )
                | {"links": _REDRIVE_LINK},
                **error_responses(413),
            },
        )
    },
    "/api/parked/redrive/{id}": {
        "get": get_operation(
            "What became of a redrive.",
            [path_parameter("id", {"type": "integer", "minimum": 1})],
            schema_ref("Redrive"),
            404,
        )
    },
    "/api/session": {
        "get": {
            "summary": "Who is signed in.",
            "responses": {"200": _CALLER_RESPONSE, **error_responses()},
        },
        "post": {
            "summary": "Sign in with a token: a cookie takes its place.",
            "responses": {"200": _CALLER_RESPONSE, **error_responses()},
        },
        "delete": {
            "summary": "Sign out: the cookie is taken back.",
            "responses": {"200": success_response("Signed out.", {"type": "object"}), **error_responses()},
        },
    },
}
