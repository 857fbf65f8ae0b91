"""Describes the change feed (api/live)."""

from api.openapi.builders import (
    BOOLEAN,
    LIMIT_PARAMETER,
    SESSION_PARAMETER,
    STRING,
    Schema,
    array_schema,
    cursor_schema,
    error_responses,
    get_operation,
    header_parameter,
    object_schema,
    query_parameter,
    schema_ref,
)

_FEED_CURSOR = cursor_schema("feed", "The id of a change, or a cursor from a response.")

PATHS: Schema = {
    "/api/changes": {
        "get": get_operation(
            "List the changes after a cursor, oldest first; without a cursor, get the current one.",
            [query_parameter("since", _FEED_CURSOR), LIMIT_PARAMETER, SESSION_PARAMETER],
            object_schema({"changes": array_schema(schema_ref("Change")), "cursor": STRING, "more": BOOLEAN}),
            410,
        )
    },
    "/api/stream": {
        "get": {
            "summary": "Stream changes as server-sent events, after a cursor or from now on.",
            "parameters": [
                query_parameter("since", _FEED_CURSOR, "For clients that cannot send Last-Event-ID."),
                SESSION_PARAMETER,
                header_parameter("Last-Event-ID", _FEED_CURSOR),
            ],
            "responses": {
                "200": {
                    "description": "Events with `id:` and, except for the first, `data:`: a Change without its id.",
                    "content": {"text/event-stream": {"schema": STRING}},
                },
                **error_responses(410),
            },
        }
    },
}
